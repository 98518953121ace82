"""The commands of this plugin, and what qehost's own do with it, as a user runs them."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from qehost.testing import Events, PluginHost
from receivers import PATIENCE, Receiver, wait_for
from running import QEHOST, waiting

from qehost_notify import Config

SETTINGS = """
state_dir = "state"
[accounts.main]
api_key = { env = "KEY" }
api_secret = { env = "KEY" }
[plugins.notify]
timeout = 60.0
targets = [{ env = "HOOK_URL" }, { env = "DEAD_URL" }]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "qehost.toml").write_text(SETTINGS)
    return tmp_path


def qehost(folder: Path, receiver: Receiver, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*QEHOST, *words],
        cwd=folder,
        env={
            **os.environ,
            "KEY": "k" * 32,
            "HOOK_URL": receiver.url,
            "DEAD_URL": "wecom://s3cretword123?server=http://127.0.0.1:9",
            "XDG_CONFIG_HOME": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "s3cret" not in done.stdout + done.stderr
    return done


def test_each_target_gets_a_message_and_its_answer_is_told(
    folder: Path, receiver: Receiver
) -> None:
    done = qehost(folder, receiver, "notify", "test")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first.split() == ["https", "#1", "sent"]
    assert second.split() == ["wecom", "#2", "later", "connection", "refused"]
    assert "Fill BTCUSDT buy 0.5" in receiver.taken[0].text


def test_one_target_alone(folder: Path, receiver: Receiver) -> None:
    done = qehost(folder, receiver, "notify", "test", "--target", "1")
    assert (done.returncode, len(receiver.taken)) == (0, 1)
    none = qehost(folder, receiver, "notify", "test", "--target", "3")
    assert none.returncode != 0
    assert "no such target" in none.stderr


def test_check_reaches_the_targets_and_sends_nothing(folder: Path, receiver: Receiver) -> None:
    done = qehost(folder, receiver, "check")
    assert "wecom #2: connection refused" in done.stdout + done.stderr
    assert receiver.tried == []


def test_what_was_sent_can_be_looked_at(folder: Path, receiver: Receiver) -> None:
    none = qehost(folder, receiver, "notify", "messages")
    assert "no message was ever made" in none.stderr
    own = {"targets": [receiver.url], "gather": "0.1s", "rules": [{"when": ["error"]}]}
    with PluginHost("notify", own, state_dir=folder / "state") as host:
        host.deliver(Events(start_ms=int(time.time() * 1000)).error("no permission"))
        wait_for(lambda: receiver.taken and not waiting(folder / "state"))
    done = qehost(folder, receiver, "notify", "messages")
    assert done.stdout.split()[2:] == ["sent", "https", "#1", "qehost:", "1", "error"]


def test_the_settings_that_are_made_have_all_that_there_is(
    folder: Path, receiver: Receiver
) -> None:
    made = qehost(folder, receiver, "config", "create")
    assert made.returncode == 0, made.stderr
    own = made.stdout.partition("[plugins.notify]")[2]
    assert all(f"{name} =" in own for name in Config.__struct_fields__), own
