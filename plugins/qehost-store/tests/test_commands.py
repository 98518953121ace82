"""`qehost store init`, `backfill` and `check`, as a user runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

QEHOST = [sys.executable, "-c", "from qehost.cli import main; main(prog_name='qehost')"]


class Folder:
    """A settings' file, and a state folder with the journal of a short run without the store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def settings(self, url: str) -> None:
        (self.folder / "qehost.toml").write_text(
            """
            state_dir = "state"
            [accounts.main]
            api_key = { env = "KEY" }
            api_secret = { env = "KEY" }
            [plugins.store]
            url = { env = "STORE_URL" }
            """
        )
        self.environment = {**os.environ, "KEY": "k" * 32, "STORE_URL": url}

    def qehost(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*QEHOST, *arguments, "-c", "qehost.toml"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    made = Folder(tmp_path_factory.mktemp("run"))
    made.settings("sqlite:///unused.db")
    run = made.qehost(
        *("run", "--simulate", "--duration", "8", "--state-dir", "state", "-p", "no:store")
    )
    assert run.returncode == 0, run.stderr
    return made


def test_backfill_writes_all_of_the_journal_and_check_says_so(journal: Folder, stored: Any) -> None:
    journal.settings(stored.url)
    done = journal.qehost("store", "check")
    assert done.returncode != 0
    assert "no tables" in done.stderr
    made = journal.qehost("store", "init")
    assert (made.returncode, "from version 0 to 1" in made.stdout) == (0, True), made.stderr
    filled = journal.qehost("store", "backfill")
    assert filled.returncode == 0, filled.stderr
    (count,) = re.findall(r"account main: ([\d,]+) events", filled.stdout)
    assert int(count.replace(",", "")) > 0
    done = journal.qehost("store", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} events of the journal" in done.stdout
    again = journal.qehost("store", "backfill")
    assert again.returncode == 0
    assert stored.adds_up()


def test_check_names_what_is_missing_and_what_does_not_add_up(journal: Folder, stored: Any) -> None:
    journal.settings(stored.url)
    assert journal.qehost("store", "backfill").returncode == 0
    stored.run("DELETE FROM connections")
    done = journal.qehost("store", "check")
    assert done.returncode == 1
    assert "not in the database: events" in done.stdout
    assert "(connected)" in done.stdout
    if stored.count("fills"):
        stored.run("DELETE FROM fills")
        done = journal.qehost("store", "check")
        assert "don't add up" in done.stdout
        assert "daily_fills differ" in done.stdout


def test_a_database_that_can_not_be_reached_is_told_without_its_password(journal: Folder) -> None:
    journal.settings("postgresql://qehost:s3cretpassword@127.0.0.1:9/trades")
    done = journal.qehost("store", "init")
    assert done.returncode != 0
    assert "127.0.0.1" in done.stderr
    assert "s3cretpassword" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_config_create_shows_the_section(journal: Folder) -> None:
    done = subprocess.run(
        [*QEHOST, "config", "create"],
        cwd=journal.folder,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )

    assert "[plugins.store]" in done.stdout
    assert "postgresql://USER:PASSWORD@HOST/DATABASE" in done.stdout


def test_qehost_check_asks_the_database(journal: Folder, stored: Any) -> None:
    journal.settings(stored.url)
    assert "at the first run" in journal.qehost("check").stdout
    assert journal.qehost("store", "init").returncode == 0
    assert "plugin store" in (told := journal.qehost("check").stdout)
    assert "answers: tables of version 1" in told
    stored.run("INSERT INTO schema_version (version) VALUES (99)")
    assert "tables of version 99" in journal.qehost("check").stdout
