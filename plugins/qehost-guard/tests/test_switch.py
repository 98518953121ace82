"""The kill switch, against processes that hold it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from desk import wait_for

from qehost_guard.commands import command
from qehost_guard.intents import Intents
from qehost_guard.rules import Finding
from qehost_guard.settings import Rule
from qehost_guard.switch import Switch

HOLDER = """
import sys, time
from pathlib import Path
from qehost_guard.switch import Switch
with Switch(Path(sys.argv[1])).calling(7) as allowed:
    print(allowed, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "qehost.toml"
    file.write_text(f'state_dir = "{tmp_path}/state"\n')
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "state" / "plugins" / "guard"
    made.mkdir(parents=True)
    Intents(made / "guard.db").close()
    return made


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of a call."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def run(settings: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--config", str(settings)])


def test_without_a_call_it_is_proved_at_once(settings: Path, folder: Path) -> None:
    done = run(settings, "disarm")

    assert done.exit_code == 0, done.output
    assert "no call is in flight, and none can begin" in done.output
    with Switch(folder).calling(1) as is_allowed:
        assert not is_allowed


def test_a_call_that_is_going_on_is_named(
    settings: Path, folder: Path, holder: subprocess.Popen[str]
) -> None:
    begun = time.monotonic()
    Switch(folder).disarm()
    assert not Switch(folder).wait(0.5)
    assert time.monotonic() - begun >= 0.5

    done = run(settings, "disarm")

    assert done.exit_code == 1
    assert f"process {holder.pid} is in one:\nintent 7\n" in done.output


def test_a_stopped_process_is_named_and_killed(
    settings: Path, folder: Path, holder: subprocess.Popen[str]
) -> None:
    os.kill(holder.pid, signal.SIGSTOP)

    assert run(settings, "disarm").exit_code == 1
    done = run(settings, "disarm", "--kill")

    assert done.exit_code == 0, done.output
    assert "was ended: no call is in flight" in done.output
    wait_for(lambda: holder.poll() == -signal.SIGKILL, "its death")
    assert Switch(folder).wait(0)


def test_it_holds_until_it_is_armed(settings: Path, folder: Path) -> None:
    run(settings, "disarm")
    assert Switch(folder).is_disarmed

    assert "it may act again" in run(settings, "arm").output
    assert not Switch(folder).is_disarmed
    assert "it was not disarmed" in run(settings, "arm").output


@pytest.mark.parametrize("spoil", ["lost", "damaged"])
def test_it_does_not_need_the_table(
    settings: Path, folder: Path, holder: subprocess.Popen[str], spoil: str
) -> None:
    (folder / "guard.db").unlink()
    if spoil == "damaged":
        (folder / "guard.db").write_bytes(b"\0" * 8192)

    done = run(settings, "disarm")
    assert (done.exit_code, Switch(folder).is_disarmed) == (1, True)
    assert f"process {holder.pid} is in one:\nintent 7\n" in done.output

    assert run(settings, "arm").exit_code == 0
    assert not Switch(folder).is_disarmed


def test_who_can_not_look_at_the_switch_does_not_call(folder: Path) -> None:
    (folder / "disarmed").symlink_to(folder / "nothing")
    assert Switch(folder).is_disarmed

    (folder / "file").touch()
    assert Switch(folder / "file").is_disarmed


def test_where_the_switch_can_not_be_written_it_says_so(
    settings: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("qehost_guard.switch._opened", fails)

    done = run(settings, "disarm")

    assert done.exit_code != 0
    assert "NOT disarmed" in done.output
    assert "No space left on device" in done.output


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells whose files are open")
def test_a_process_that_is_not_the_one_that_calls_is_not_killed(
    settings: Path, folder: Path, holder: subprocess.Popen[str]
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        # The number of the guard's process, as another container counts.
        (folder / "switch.lock").write_text(f"{stranger.pid} 7")

        done = run(settings, "disarm", "--kill")

        assert done.exit_code != 0
        assert f"process {stranger.pid} is none of the guard's here" in done.output
        assert stranger.poll() is None
        assert holder.poll() is None


def test_words_of_others_do_not_move_the_cursor(settings: Path, folder: Path) -> None:
    with closing(Intents(folder / "guard.db")) as intents:
        rule = Rule(down="5s", action="pause")
        finding = Finding(rule, "main", "m-1\x1b[2J", "BTCUSDT", "down\nfor long", {})
        intents.add(finding, "dry", armed=False)

    done = run(settings, "show")

    assert done.output == "1 main m-1?[2J down-pause: pause: dry: down?for long\n"


def test_it_needs_nothing_of_the_settings_but_the_state_folder(
    settings: Path, folder: Path
) -> None:
    with settings.open("a") as file:
        file.write('[accounts.main]\napi_key = { env = "NOT_SET" }\n[plugins.guard]\nrulez = 1\n')

    assert run(settings, "disarm").exit_code == 0
    assert Switch(folder).is_disarmed


@pytest.mark.parametrize("verb", ["disarm", "show"])
def test_where_no_guard_has_run_nothing_is_proved(settings: Path, verb: str) -> None:
    done = run(settings, verb)

    assert done.exit_code != 0
    assert f"no guard has run in {settings.parent}/state/plugins/guard" in done.output
    assert not (settings.parent / "state").exists()


def test_a_rule_that_does_not_exist_can_not_be_rearmed(settings: Path, folder: Path) -> None:
    assert run(settings, "rearm", "x").exit_code != 0
