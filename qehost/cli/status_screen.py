"""The status as text for a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from qehost.cli.columns import Column, lay_out_table, print_lines, stdout_console, wrap_words
from qehost.cli.status_findings import Level, Limits, findings, last_gaps
from qehost.cli.units import format_count, format_duration, format_latency, format_size
from qehost.events.notices import Counts
from qehost.storage.status import ConnectionState, CursorState, HostState, PluginState, Status

__all__ = ["print_status", "screen", "watch"]

GOOD, WARNING, BAD = "green", "yellow", "bold red"
STATES = {"connected": GOOD, "connecting": WARNING, "waiting": WARNING, "starting": WARNING}
LEVELS: dict[Level, str] = {"critical": BAD, "warning": WARNING, "notice": WARNING}
PASSING = ("starting", "waiting")
"""States of a plugin that end by themselves."""
LATE = 1.0
"""Seconds from which on a call is shown as late."""
USUAL = Limits()
REFRESH = 1.0
"""Seconds, as often as the status is written."""
NAME = 12
"""Columns for a name on a narrow terminal; the rest of a longer one's row is below it."""
INDENT = 1

CONNECTIONS = (
    Column("Connection", usual=NAME),
    Column("State"),
    Column("Message", drop=1),
    Column("Pong", drop=8),
    Column("Lost", right=True),
    Column("Event", right=True, drop=7),
    Column("Journal", right=True),
)
MESSAGES = (
    Column("Messages of", usual=NAME),
    Column("Unreadable", right=True),
    Column("Unknown", right=True),
    Column("Repeats", right=True),
    Column("Errors", right=True),
    Column("Gaps", right=True),
)
HOSTS = (
    Column("Host process", usual=NAME),
    Column("State"),
    Column("Account", usual=NAME),
    Column("Event", right=True, drop=7),
    Column("Behind"),
)
PLUGINS = (
    Column("Plugin", usual=NAME),
    Column("Process", usual=NAME, drop=1),
    Column("Calls", right=True, drop=2),
    Column("Errors", right=True),
    Column("Dead letters", right=True),
    Column("p50", right=True, drop=8),
    Column("p99", right=True, drop=7),
    Column("Slowest", right=True),
    Column("Busy", right=True, drop=9),
)
PROCESSES = (
    Column("Process", usual=NAME),
    Column("Pid", right=True),
    Column("Memory", right=True),
    Column("Open files", right=True),
    Column("Restarts", right=True),
)


def print_status(status: Status, problem: str, limits: Limits) -> None:
    console = stdout_console()
    print_lines(console, screen(status, problem, console.width, limits))


def screen(status: Status, problem: str, width: int, limits: Limits = USUAL) -> list[Text]:
    """Lines for a terminal of that width.

    `problem` says why this is not the status of a running qehost.
    """
    page = _Screen(width - 2 * INDENT)
    page.text(_headline(status, problem))
    page.text([Text(each.text, LEVELS[each.level]) for each in findings(status, limits)])
    page.table(CONNECTIONS, [_connection(each, status) for each in status.connections])
    counted = [_messages(each) for each in status.connections if each.counts != Counts()]
    if counted:
        page.table(MESSAGES, counted)
    page.text(
        [
            Text(f"Last gap of {name}, {_since(gap.at, status)} ago: {gap.text}", "dim")
            for name, gap in last_gaps(status)
            if status.written_at - gap.at > limits.gap_age  # a newer one stands above
        ]
    )
    several = any(len(host.cursors) > 1 for host in status.hosts)
    page.table(
        [column for column in HOSTS if several or column.heading != "Account"],
        [row for host in status.hosts for row in _host(host, several)],
    )
    page.table(PLUGINS, [_plugin(host, plugin) for host in status.hosts for plugin in host.plugins])
    page.table(PROCESSES, list(_processes(status)))
    if page.left_out:
        names = ", ".join(dict.fromkeys(page.left_out))
        page.text([Text(f"No room here for {names}; --json has everything.", "dim")])
    return [Text(" " * INDENT).append_text(line) if line else line for line in page.lines]


class _Screen:
    """Tables and paragraphs, with an empty line above each."""

    def __init__(self, width: int) -> None:
        self._width = width
        self.lines: list[Text] = []
        self.left_out: list[str] = []

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]]) -> None:
        layout = lay_out_table(columns, rows, self._width, "dim")
        self.lines += [Text(), *layout.lines]
        self.left_out += layout.left_out

    def text(self, texts: Sequence[Text]) -> None:
        if texts:
            self.lines += [Text(), *(x for text in texts for x in wrap_words(text, self._width))]


def _headline(status: Status, problem: str) -> list[Text]:
    line = Text.assemble(
        ("qehost ", "bold"), (status.version, "bold"), ("   pid ", "dim"), str(status.pid)
    )
    if not problem:
        line.append("   running for ", "dim")
        line.append(format_duration(status.written_at - status.started_at), GOOD)
    age = status.age()
    line.append("   written ", "dim")
    line.append(
        f"{age:.1f} s ago" if age < 10 else f"{format_duration(age)} ago", BAD if problem else ""
    )
    return [line, Text(problem, BAD)] if problem else [line]


def _connection(each: ConnectionState, status: Status) -> list[str | Text]:
    return [
        Text(each.account, "bold"),
        _state(each, status),
        _since(each.last_message, status),
        _since(each.last_pong, status),
        _count(each.reconnects),
        f"{each.last_seq:,}",
        Text(format_size(each.journal_bytes), "" if each.protected else BAD),
    ]


def _messages(each: ConnectionState) -> list[str | Text]:
    counts = each.counts
    numbers = counts.unreadable, counts.unknown, counts.repeats, counts.errors, counts.gaps
    return [Text(each.account, "bold"), *(_count(number) for number in numbers)]


def _host(host: HostState, several: bool) -> Iterable[list[str | Text]]:
    """A row for each account; the first one has the columns of the process."""
    process: list[str | Text] = [Text(host.name, "bold"), _host_state(host)]
    for cursor in host.cursors or [CursorState("", 0, 0, 0.0)]:
        account = [cursor.account] if several else []
        yield [*process, *account, f"{cursor.seq:,}", _behind(cursor)]
        process = ["", ""]


def _plugin(host: HostState, each: PluginState) -> list[str | Text]:
    return [
        Text(each.name, "bold")
        if each.state == "running"
        else Text(f"{each.name} ({each.state})", WARNING if each.state in PASSING else BAD),
        host.name,
        f"{each.calls:,}",
        _count(each.errors),
        _count(each.dead_letters),
        format_latency(each.p50),
        format_latency(each.p99),
        Text(format_latency(each.slowest), WARNING if each.slowest >= LATE else ""),
        format_duration(each.busy) if each.busy >= 1 else format_latency(each.busy),
    ]


def _processes(status: Status) -> Iterable[list[str | Text]]:
    processes = [
        ("supervisor", status.pid, status.usage, 0),
        *((f"connection {c.account}", c.pid, c.usage, c.restarts) for c in status.connections),
        *((f"host {host.name}", host.pid, host.usage, host.restarts) for host in status.hosts),
    ]
    for name, pid, usage, restarts in processes:
        yield [
            Text(name, "bold"),
            _pid(pid),
            format_size(usage.memory) if usage.memory else Text("–", "dim"),
            f"{usage.open_files:,}" if usage.open_files else Text("–", "dim"),
            _count(restarts),
        ]


def _pid(pid: int) -> Text:
    return Text(str(pid) if pid else "", "dim")


def _state(connection: ConnectionState, status: Status) -> Text:
    style = STATES.get(connection.state, BAD)
    return Text.assemble((f"● {connection.state} ", style), _since(connection.since, status))


def _host_state(host: HostState) -> Text:
    if not host.pid:
        return Text("● down", BAD)
    if not host.ready:
        return Text("● starting", WARNING)
    return Text("● running", GOOD)


def _behind(cursor: CursorState) -> Text:
    if not cursor.lag_events:
        return Text("up to date", GOOD)
    text = f"{format_count(cursor.lag_events, 'event')}, {format_duration(cursor.lag)}"
    return Text(text, WARNING if cursor.lag < 10 else BAD)


def _since(at: float, status: Status) -> Text:
    """How long before the status was written that was; a dash for never."""
    if not at:
        return Text("–", "dim")
    return Text(format_duration(max(0.0, status.written_at - at)))


def _count(number: int) -> Text:
    return Text(f"{number:,}", WARNING if number else "dim")


def watch(read: Callable[[], tuple[Status | None, str]], limits: Limits) -> None:
    """Show what `read` gives (the status and the problem) once a second, until Ctrl-C."""
    console = Console(highlight=False)
    if not console.is_terminal:
        raise click.UsageError("--watch needs a terminal.")
    with (
        suppress(KeyboardInterrupt),
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            live.update(_page(*read(), console.width, limits), refresh=True)
            time.sleep(REFRESH)


def _page(status: Status | None, problem: str, width: int, limits: Limits) -> Group:
    lines = [Text(problem, BAD)] if status is None else screen(status, problem, width, limits)
    # A line that is too long is not broken in the middle of an id, but cut at the edge.
    for line in lines:
        line.no_wrap, line.overflow = True, "ignore"
    return Group(*lines)
