import io
import logging
import os
import re
import sys
import threading

import msgspec
import pytest
from qehost.errors import ConnectError, HookError

from qehost_console import Config, Console

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
def started(monkeypatch, context):
    def start(file, **settings):
        monkeypatch.setattr(sys, "stdout", file)
        plugin = Console(Config(**settings))
        plugin.on_start(context)
        return plugin

    return start


def deliver(plugin, venue):
    """An order from its start to its end, with a disconnect and an error between."""
    first = venue.connected()
    plugin.on_connected(event=first)
    master, order, fill = venue.master(filled="0"), venue.order(), venue.fill()
    plugin.on_master_order(*master)
    plugin.on_order(*order)
    plugin.on_fill(*fill)
    plugin.on_disconnected("reset by the peer", venue.disconnected())
    error = ConnectError("connection refused")
    plugin.on_error(error, venue.error(error))
    plugin.on_status("subscribed", venue.status("subscribed"))
    unknown = venue.unknown('{"type":"news"}')
    plugin.on_batch([first, master[2], order[2], fill[2], unknown])
    plugin.on_tick(0.0)


def test_elsewhere_than_on_a_terminal_every_event_is_one_plain_line(started, venue):
    file = io.StringIO()
    plugin = started(file)
    deliver(plugin, venue)
    text = file.getvalue()
    assert "\x1b" not in text
    words = ("CONNECTED", "master", "order", "fill", "DISCONNECTED", "ERROR", "status", "unknown")
    assert len(text.splitlines()) == 1 + len(words)
    for line, word in zip(text.splitlines()[1:], words, strict=True):
        assert word in line


def test_lines_reach_a_reader_at_the_end_of_their_batch(started, venue):
    reader, writer = os.pipe()
    with os.fdopen(reader) as out, os.fdopen(writer, "w") as file:
        plugin = started(file)
        plugin.on_fill(*venue.fill())
        plugin.on_batch([])
        out.readline()
        assert "fill" in out.readline()


def test_on_a_terminal_there_is_a_live_table(started, venue, grid):
    file = FakeTerminal()
    plugin = started(file)
    deliver(plugin, venue)
    terminal = grid(80, 24)
    terminal.write(file.getvalue())
    screen = "\n".join(terminal.text())
    for words in ("master orders 1 running", "latest fills", "BTCUSDT", "✖ main down"):
        assert words in screen
    assert "DISCONNECTED  reset by the peer" in screen


def test_the_live_table_leaves_the_terminal_as_it_was_and_a_summary_below(started, venue, grid):
    file = FakeTerminal()
    plugin = started(file)
    for number in range(60):
        plugin.on_master_order(*venue.master(id=f"mo_{number}"))
        plugin.on_fill(*venue.fill())
    deliver(plugin, venue)
    plugin.on_stop("--duration reached")
    terminal = grid(80, 24)
    terminal.write(file.getvalue())
    assert terminal.region == (0, 23)
    assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h")
    everything = [line for line in terminal.everything() if line]
    assert sum("master orders 60 running" in line for line in everything) == 1
    summary = everything.index(next(line for line in everything if line.startswith("Summary")))
    assert everything[summary - 1].startswith(" ■ stopped")
    assert everything[-1].startswith("BTCUSDT")


def test_many_events_make_few_frames(started, venue):
    file = FakeTerminal()
    plugin = started(file)
    for _ in range(500):
        message, detail, event = venue.fill()
        plugin.on_fill(message, detail, event)
        plugin.on_batch([event])
    assert file.getvalue().count("\x1b7") < 50


def test_no_thread_is_started(started, venue):
    before = threading.active_count()
    deliver(started(FakeTerminal()), venue)
    assert threading.active_count() == before


@pytest.mark.parametrize("file", [io.StringIO, FakeTerminal])
def test_the_summary_is_printed_in_both_styles_and_can_be_turned_off(started, venue, file):
    for wanted in (True, False):
        out = file()
        plugin = started(out, summary=wanted)
        deliver(plugin, venue)
        plugin.on_stop("stopped by SIGTERM")
        assert ("Summary" in out.getvalue()) == wanted


def test_lines_can_be_had_on_a_terminal(started, venue):
    file = FakeTerminal()
    deliver(started(file, style="lines"), venue)
    assert "\x1b7" not in file.getvalue()
    assert "\x1b[" in file.getvalue()


def test_live_without_a_terminal_becomes_lines_and_says_so(started, venue, caplog):
    file = io.StringIO()
    deliver(started(file, style="live"), venue)
    assert len(file.getvalue().splitlines()) > 5
    assert "lines instead" in caplog.text


def test_a_terminal_that_can_only_feed_lines_gets_lines(started, venue, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    file = FakeTerminal()
    deliver(started(file), venue)
    assert "\x1b7" not in file.getvalue()


def test_colour_follows_the_setting_and_no_color(started, venue, monkeypatch):
    def coloured(file, **settings):
        deliver(started(file, style="lines", **settings), venue)
        return "\x1b[" in file.getvalue()

    assert coloured(io.StringIO(), colour="always")
    assert not coloured(FakeTerminal(), colour="never")
    assert coloured(FakeTerminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(FakeTerminal())


def test_colours_change_no_character_of_a_line(started, venue):
    plain, coloured = io.StringIO(), io.StringIO()
    for file, colour in ((plain, "never"), (coloured, "always")):
        plugin = started(file, colour=colour)
        plugin.on_connected(venue.connected())
        plugin.on_fill(*venue.fill())
    bare = SEQUENCE.sub("", coloured.getvalue())
    assert [line.rstrip() for line in bare.splitlines()] == plain.getvalue().splitlines()


def test_a_closed_standard_output_is_told_once_and_no_error(started, venue, caplog):
    reader, writer = os.pipe()
    os.close(reader)
    with open(os.dup(writer), "w", buffering=1) as file:
        os.close(writer)
        plugin = started(file)
        with caplog.at_level(logging.WARNING):
            deliver(plugin, venue)
            deliver(plugin, venue)
            plugin.on_stop("stopped by SIGTERM")
        assert caplog.text.count("standard output is closed") == 1
        # What Python still holds for the closed pipe goes elsewhere, or closing would raise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())


def test_an_encoding_without_the_characters_is_no_error(started, venue):
    file = io.TextIOWrapper(io.BytesIO(), "ascii")
    plugin = started(file, style="lines")
    plugin.on_status("µ 买", venue.status("µ 买"))
    plugin.on_stop("stopped by SIGTERM")
    file.seek(0)
    assert "status  ? ?" in file.read()


def test_an_error_of_another_plugin_does_not_count_its_event_twice(started, venue):
    plugin = started(io.StringIO())
    message, detail, event = venue.fill()
    plugin.on_fill(message, detail, event)
    plugin.on_error(HookError("other", "on_fill", "division by zero", event.seq), event)
    assert plugin._tally.kinds["fill", "derived"] == 1
    assert plugin._tally.errors["HookError"] == 1


def test_latency_is_that_of_messages_that_came_by_the_stream_for_the_first_time(started, venue):
    plugin = started(io.StringIO())
    plugin.on_order(*venue.order(origin="catch_up"))
    plugin.on_order(*venue.order(redelivered=True))
    plugin.on_fill(*venue.fill(origin="derived"))
    assert plugin._latency.count == 0
    plugin.on_order(*venue.order())
    plugin.on_fill(*venue.fill(origin="stream"))
    assert plugin._latency.count == 2


@pytest.mark.parametrize(
    "settings", [{"style": "tables"}, {"masters": 0}, {"fills": -1}, {"colors": "auto"}]
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, Console.Config)
