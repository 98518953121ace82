"""`qehost replay --compare`: what two versions of a plugin do differently."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from four_events import append, order, status
from running import QEHOST
from waiting import PATIENCE

from qehost.cli.compare import differing_lines, section_of
from qehost.config.settings import PluginSettings
from qehost.errors import Error
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder

OLD = """
def on_start(context):
    global log, api
    log, api = context.logger, context.api

def on_order(message, event):
    log.info("seen %s, redelivered %s", message.symbol, event.redelivered)
    if message.symbol == "ETHUSDT":
        api(event.account).pause_master_order_v2("m-1", reason="an order")
"""
NEW = OLD.replace('"m-1"', '"m-2"') + "        print('done')\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Four events, and two versions of a plugin."""
    with Journal(StateFolder(tmp_path / "state").journal("main")) as journal:
        append(journal, status(1), order(2, "BTCUSDT"))
        append(journal, order(3, "ETHUSDT"), status(4))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "mine.py").write_text(OLD)
    (tmp_path / "mine.py").write_text(NEW)
    return tmp_path


def compare(here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    versions = arguments or ("old/mine.py", "mine.py")
    return subprocess.run(
        [*QEHOST, "replay", "--state-dir", "state", "--compare", *versions],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_what_they_do_differently_is_printed_event_by_event(here: Path) -> None:
    done = compare(here)
    assert done.stdout == (
        "main 3 order ETHUSDT PLACED o-3\n"
        "    INFO seen ETHUSDT, redelivered False\n"
        '  - PUT /user/trading/v2/master-orders/m-1/pause of account main {"reason": "an order"}\n'
        '  + PUT /user/trading/v2/master-orders/m-2/pause of account main {"reason": "an order"}\n'
        "  + printed done\n"
    )
    assert done.stderr == "4 events, 1 difference\n"
    assert done.returncode == 1


def test_two_that_do_the_same_are_silent(here: Path) -> None:
    (here / "mine.py").write_text(OLD)
    done = compare(here)
    assert (done.stdout, done.stderr) == ("", "4 events, 0 differences\n")
    assert done.returncode == 0
    assert not (here / "state" / "plugins").exists()


def test_what_is_raised_or_asked_or_said_to_be_wrong_is_a_difference(here: Path) -> None:
    (here / "mine.py").write_text(
        OLD.replace("log.info(", "1 / 0\n    log.info(")
        + "\ndef on_status(event):\n"
        + "    api(event.account).get_master_order_v2('m-1')\n"
        + "def on_stop():\n    print('over')\n"
    )
    done = compare(here)
    assert "+ on_order raised ZeroDivisionError: division by zero" in done.stdout
    assert "in a comparison there is no venue" in done.stdout
    assert "on_stop\n  + printed over" in done.stdout


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        (
            "import os\ndef on_order():\n    os._exit(7)",
            "mine.py: the compare process ended: exit code 7",
        ),
        ("def on_start():\n    1 / 0", "ZeroDivisionError"),
    ],
)
def test_one_that_can_not_go_on_is_told(here: Path, source: str, text: str) -> None:
    (here / "mine.py").write_text(source)
    done = compare(here)
    assert done.returncode == 3
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_it_takes_no_other_plugin(here: Path) -> None:
    done = compare(here, "old/mine.py", "mine.py", "-p", "mine.py")
    assert (done.returncode, "leave out -p" in done.stderr) == (2, True)


def test_both_have_the_settings_of_the_plugin(tmp_path: Path) -> None:
    for name in ("mine.py", "mine_old.py"):
        (tmp_path / name).write_text("")
    old, new = str(tmp_path / "mine_old.py"), str(tmp_path / "mine.py")
    section = PluginSettings(own={"limit": 3}, module=new)
    for spec, other, name in ((old, new, "mine_old"), (new, old, "mine")):
        found = section_of(spec, other, {"Mine": section})
        assert list(found) == [name]
        assert (found[name].own, found[name].module) == ({"limit": 3}, "")
    own = PluginSettings(own={"limit": 4})
    assert section_of(old, new, {"mine": section, "mine-old": own})["mine_old"].own == own.own
    assert section_of("mine", old, {"mine": section}) == {"mine": section}
    assert section_of(old, new, {}) == {}
    with pytest.raises(Error, match=r"--compare x y: a plugin is named by"):
        section_of("x y", new, {})


def test_lines_that_both_have_stand_between_those_that_differ() -> None:
    assert differing_lines(["a", "b"], ["a", "b"]) == []
    assert differing_lines(["a", "b"], ["b", "c"]) == ["- a", "  b", "+ c"]
