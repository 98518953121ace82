"""`qehost run --debug-plugin`, on a terminal of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from dialog import CTRL_C, Dialog
from waiting import wait_for

from qehost.cli import debugging
from qehost.config.settings import PluginSettings, Settings
from qehost.errors import Error, UnknownPlugin
from qehost.simulator import Venue
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import read_status

# So short that the debugger would be killed, and logged, while a test types.
SETTINGS = """
[host]
hang_timeout = 1.0
slow_call = 0.05
"""
PLUGIN = """
def on_start(context):
    context.logger.info("started")
    print("printed by the plugin")

def on_order(message, event):
    STOP
    open("told", "a").write(f"{event.seq}\\n")
"""
OTHER = "def on_order(message): open('other', 'a').write('x')"


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    with Venue(port=0, rate=5.0, seed=1) as venue:
        yield venue


def dialog(tmp_path: Path, venue: Venue, *, stop: str = "breakpoint()") -> Dialog:
    (tmp_path / "mine.py").write_text(PLUGIN.replace("STOP", stop))
    (tmp_path / "other.py").write_text(OTHER)
    (tmp_path / "qehost.toml").write_text(SETTINGS)
    variables = {
        "QEHOST_API_KEY": venue.api_key,
        "QEHOST_API_SECRET": venue.api_secret,
        "QEHOST_ACCOUNTS__MAIN__WS_URL": venue.ws_url,
        "QEHOST_ACCOUNTS__MAIN__REST_URL": venue.rest_url,
    }
    arguments = ["run", "-p", "mine.py", "-p", "other.py"]
    arguments += ["--debug-plugin", "mine", "-c", "qehost.toml", "--state-dir", "state"]
    return Dialog(arguments, tmp_path, variables)


def looks(folder: StateFolder) -> float:
    """When the supervisor last looked."""
    status = read_status(folder.status_file)
    return 0.0 if status is None else status.written_at


def test_breakpoint_stops_in_the_hook_and_to_quit_ends_the_run(
    tmp_path: Path, venue: Venue
) -> None:
    folder = StateFolder(tmp_path / "state")
    with dialog(tmp_path, venue) as debugger:
        shown = debugger.wait_for("(Pdb) ")
        assert "mine.py" in shown
        assert "printed by the plugin" in shown
        # A thread of its own writes log lines, which may come after the prompt.
        wait_for(lambda: debugger.shows("started"), "the plugin's log line")
        debugger.type("p message.symbol, 6 * 7\n")
        assert ", 42)" in debugger.wait_for("(Pdb) ")
        # Ctrl-C is the debugger's, and nobody is in a hurry.  Where it comes just before the
        # debugger reads, it is noticed with the next line.
        debugger.type(CTRL_C)
        debugger.type("\n")
        debugger.wait_for("(Pdb) ")
        debugger.type("p 'still ' + 'here'\n")
        debugger.wait_for("still here")
        for _ in range(3):
            before = looks(folder)
            wait_for(lambda before=before: looks(folder) > before, "a look of the supervisor")
        wait_for((tmp_path / "other").exists, "the other plugin goes on")
        debugger.type("c\n")
        debugger.wait_for("(Pdb) ")
        debugger.type("q\n")
        assert debugger.end() == 0
    assert len((tmp_path / "told").read_text().split()) == 1
    with DeadLetters(folder.dead_letters_file) as letters:
        assert letters.counts() == {}
    log = (tmp_path / "state" / "debug.log").read_text()
    assert "stopping: the debugger was quit" in log
    # On a busy machine the other plugin, and its process, may take that long, too.
    about_it = "\n".join(x for x in log.splitlines() if re.search("plugin mine|debugged", x))
    for text in ("hang_timeout", "has been running", "died", "killed"):
        assert text not in about_it


def test_where_the_debugger_was_quit_the_event_comes_again(tmp_path: Path, venue: Venue) -> None:
    with dialog(tmp_path, venue) as debugger:
        debugger.wait_for("(Pdb) ")
        debugger.type("p event.seq * 1000\n")
        (seq,) = re.findall(r"\n(\d+)\r", debugger.wait_for("(Pdb) "))
        debugger.type("q\n")
        assert debugger.end() == 0
    with dialog(tmp_path, venue) as debugger:
        debugger.wait_for("(Pdb) ")
        debugger.type("p event.seq * 1000, event.redelivered\n")
        assert f"({seq}, True)" in debugger.wait_for("(Pdb) ")
        debugger.type("q\n")
        assert debugger.end() == 0


@pytest.mark.parametrize("busy", ["seq = event.seq", "__import__('time').sleep(1000)"])
def test_ctrl_c_opens_the_debugger_where_the_plugin_is(
    tmp_path: Path, venue: Venue, busy: str
) -> None:
    # One call, so that Ctrl-C does not find the plugin within a function of Python's own.
    waiting = f"__import__('os').mkdir('in it')\n    while True: {busy}"
    with dialog(tmp_path, venue, stop=waiting) as debugger:
        wait_for((tmp_path / "in it").exists, "the plugin")
        debugger.type(CTRL_C)
        assert "on_order" in debugger.wait_for("(Pdb) ")
        debugger.type("p 6 * 7\n")
        assert "42" in debugger.wait_for("(Pdb) ")
        debugger.type("q\n")
        assert debugger.end() == 0


def test_after_ctrl_c_one_can_step_and_go_on(tmp_path: Path, venue: Venue) -> None:
    # One call here, too, and after it nothing that the test needs.
    in_it = "__import__('os').mkdir('in it')"
    waiting = "\n    ".join(("going = [1]", in_it, "while going: going", "gone = going"))
    with dialog(tmp_path, venue, stop=waiting) as debugger:
        for _ in range(2):  # the second time in the next event
            wait_for((tmp_path / "in it").exists, "the plugin")
            debugger.type(CTRL_C)
            debugger.wait_for("(Pdb) ")
            debugger.type("going.clear()\n")
            debugger.wait_for("(Pdb) ")
            debugger.type("tbreak 10\n")
            debugger.wait_for("(Pdb) ")
            debugger.type("c\n")
            assert "gone = going" in debugger.wait_for("(Pdb) ")
            debugger.type("n\n")
            assert 'open("told"' in debugger.wait_for("(Pdb) ")
            (tmp_path / "in it").rmdir()
            debugger.type("c\n")
        wait_for((tmp_path / "in it").exists, "the next event")
        debugger.type(CTRL_C)
        debugger.wait_for("(Pdb) ")
        debugger.type("q\n")
        assert debugger.end() == 0


def test_the_end_of_the_input_is_a_quit(tmp_path: Path, venue: Venue) -> None:
    with dialog(tmp_path, venue) as debugger:
        debugger.wait_for("(Pdb) ")
        debugger.type("\x04")
        assert debugger.end() == 0


def test_without_a_terminal_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.ctermid", lambda: str(tmp_path / "no terminal"))
    with pytest.raises(Error, match="replay --pdb"), debugging.log_aside("mine", tmp_path):
        pass


def test_a_plugin_that_does_not_run_is_refused_with_the_nearest_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = Settings("state", {})
    with pytest.raises(UnknownPlugin, match="did you mean mine"):
        debugging.apart(settings, ["mine"], "mien")
    off = Settings("state", {}, plugins={"mine": PluginSettings(enabled=False)})
    with pytest.raises(UnknownPlugin, match="no plugin of this name runs"):
        debugging.apart(off, ["no:mine", "mine", "no:mine"], "mine")
    assert debugging.apart(settings, ["mine"], "Mine").plugins["mine"].process == "debugged"
