import io
import os
import re
import sys
import threading

import pytest
from qehost.errors import ConnectError, PluginError
from qehost.testing import PluginHost

from qehost_console import Console

SEQUENCE = re.compile(r"\x1b\[[?\d;]*[a-zA-Z]|\x1b[78]")


class FakeTerminal(io.StringIO):
    """A terminal of 80 by 24, as the environment says."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def started(monkeypatch, plugin_host):
    def start(file, beside=(), **settings):
        monkeypatch.setattr(sys, "stdout", file)
        return plugin_host(Console, settings, name="console", beside=beside)

    return start


def deliver(host, tell):
    """An order from its start to its end, with a disconnect and an error between."""
    host.deliver(
        tell.connected(),
        tell.master(filled="0")[2],
        tell.order()[2],
        tell.fill()[2],
        tell.disconnected(),
        tell.error(ConnectError("connection refused")),
        tell.status("subscribed"),
        tell.unknown('{"type":"news"}'),
    )
    host.tick()


def test_qehost_finds_it_by_its_name(monkeypatch, plugin_host):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert isinstance(plugin_host("console").plugin, Console)


def test_elsewhere_than_on_a_terminal_nothing_is_shown_unless_the_settings_say_so(
    started, tell, caplog
):
    file = io.StringIO()
    caplog.set_level("INFO")
    host = started(file)
    deliver(host, tell)
    host.stop("stopped by SIGTERM")
    assert file.getvalue() == ""
    assert "standard output is no terminal" in caplog.text


def test_elsewhere_than_on_a_terminal_every_event_is_one_plain_line(started, tell):
    file = io.StringIO()
    deliver(started(file, style="lines"), tell)
    text = file.getvalue()
    assert "\x1b" not in text
    words = ("CONNECTED", "master", "order", "fill", "DISCONNECTED", "ERROR", "status", "unknown")
    assert len(text.splitlines()) == 1 + len(words)
    for line, word in zip(text.splitlines()[1:], words, strict=True):
        assert word in line


def test_lines_reach_a_reader_at_the_end_of_their_batch(started, tell):
    reader, writer = os.pipe()
    with os.fdopen(reader) as out, os.fdopen(writer, "w") as file:
        host = started(file, style="lines")
        host.deliver(tell.fill()[2])
        out.readline()
        assert "fill" in out.readline()
        host.stop()


def test_on_a_terminal_there_is_a_live_table(started, tell, grid):
    file = FakeTerminal()
    deliver(started(file), tell)
    terminal = grid(80, 24)
    terminal.write(file.getvalue())
    screen = "\n".join(terminal.text())
    for words in ("master orders 1 running", "latest fills", "BTCUSDT", "✖ main down"):
        assert words in screen
    assert "DISCONNECTED  reset by the peer" in screen


def test_the_live_table_leaves_the_terminal_as_it_was_and_a_summary_below(started, tell, grid):
    file = FakeTerminal()
    host = started(file)
    for number in range(60):
        host.deliver(tell.master(id=f"mo_{number}")[2], tell.fill()[2])
    deliver(host, tell)
    host.stop("--duration reached")
    terminal = grid(80, 24)
    terminal.write(file.getvalue())
    assert terminal.region == (0, 23)
    assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h")
    everything = [line for line in terminal.everything() if line]
    assert sum("master orders 60 running" in line for line in everything) == 1
    summary = everything.index(next(line for line in everything if line.startswith("Summary")))
    assert everything[summary - 1].startswith(" ■ stopped")
    assert everything[-1].startswith("BTCUSDT")


def test_many_events_make_few_frames(started, tell):
    file = FakeTerminal()
    host = started(file)
    for _ in range(500):
        host.deliver(tell.fill()[2])
    assert file.getvalue().count("\x1b7") < 50


def test_no_thread_is_started(started, tell):
    before = set(threading.enumerate())
    deliver(started(FakeTerminal()), tell)
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(("file", "style"), [(io.StringIO, "lines"), (FakeTerminal, "auto")])
def test_the_summary_is_printed_in_both_styles_and_can_be_turned_off(started, tell, file, style):
    for wanted in (True, False):
        out = file()
        host = started(out, summary=wanted, style=style)
        deliver(host, tell)
        host.stop("stopped by SIGTERM")
        assert ("Summary" in out.getvalue()) == wanted


def test_lines_can_be_had_on_a_terminal(started, tell):
    file = FakeTerminal()
    deliver(started(file, style="lines"), tell)
    assert "\x1b7" not in file.getvalue()
    assert "\x1b[" in file.getvalue()


def test_live_without_a_terminal_becomes_lines_and_says_so(started, tell, caplog):
    file = io.StringIO()
    deliver(started(file, style="live"), tell)
    assert len(file.getvalue().splitlines()) > 5
    assert "lines instead" in caplog.text


def test_a_terminal_that_can_only_feed_lines_gets_lines(started, tell, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    file = FakeTerminal()
    deliver(started(file), tell)
    assert "\x1b7" not in file.getvalue()


def test_colour_follows_the_setting_and_no_color(started, tell, monkeypatch):
    def coloured(file, **settings):
        deliver(started(file, style="lines", **settings), tell)
        return "\x1b[" in file.getvalue()

    assert coloured(io.StringIO(), colour="always")
    assert not coloured(FakeTerminal(), colour="never")
    assert coloured(FakeTerminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(FakeTerminal())


def test_colours_change_no_character_of_a_line(started, tell):
    plain, coloured = io.StringIO(), io.StringIO()
    for file, colour in ((plain, "never"), (coloured, "always")):
        started(file, colour=colour, style="lines").deliver(tell.connected(), tell.fill()[2])
    bare = SEQUENCE.sub("", coloured.getvalue())
    assert [line.rstrip() for line in bare.splitlines()] == plain.getvalue().splitlines()


def test_a_closed_standard_output_is_told_once_and_no_error(started, tell, caplog):
    reader, writer = os.pipe()
    os.close(reader)
    with open(os.dup(writer), "w", buffering=1) as file:
        os.close(writer)
        host = started(file, style="lines")
        deliver(host, tell)
        deliver(host, tell)
        host.stop("stopped by SIGTERM")
        assert caplog.text.count("standard output is closed") == 1
        # What Python still holds for the closed pipe goes elsewhere, or closing would raise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())


def test_an_encoding_without_the_characters_is_no_error(started, tell):
    file = io.TextIOWrapper(io.BytesIO(), "ascii")
    host = started(file, style="lines")
    host.deliver(tell.status("µ 买"))
    host.stop("stopped by SIGTERM")
    file.seek(0)
    assert "status  ? ?" in file.read()


def test_an_error_of_another_plugin_does_not_count_its_event_twice(started, tell):
    class Broken:
        def on_fill(self):
            return 1 / 0

    host = started(io.StringIO(), beside=[Broken])
    host.deliver(tell.fill()[2])
    assert host.plugin._totals.kinds["fill", "derived"] == 1
    assert host.plugin._totals.errors["HookError"] == 1


def test_latency_is_that_of_messages_that_came_by_the_stream_for_the_first_time(started, tell):
    host = started(io.StringIO())
    latency = host.plugin._latency
    host.deliver(
        tell.order(origin="catch_up")[2],
        tell.order(redelivered=True)[2],
        tell.fill(origin="derived")[2],
    )
    assert latency.count == 0
    host.deliver(tell.order()[2], tell.fill(origin="stream")[2])
    assert latency.count == 2


@pytest.mark.parametrize(
    "settings", [{"style": "tables"}, {"masters": 0}, {"fills": -1}, {"colors": "auto"}]
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(PluginError, match=next(iter(settings))):
        PluginHost(Console, settings)
