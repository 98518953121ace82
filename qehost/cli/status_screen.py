"""How the status looks on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from qehost.cli.columns import Column, flowing, laid_out, output, print_lines
from qehost.status import ConnectionState, CursorState, HostState, PluginState, Status

__all__ = ["duration", "print_status", "screen"]

WELL, UNSURE, BAD = "green", "yellow", "bold red"
STATES = {"connected": WELL, "connecting": UNSURE, "waiting": UNSURE, "starting": UNSURE}
UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
# A lag below this (seconds) is on its way rather than late, and so is a call.
LATE = 1.0
NAME = 12
"""Columns for a name where room is short; the rest of a longer one's row stands beneath it."""
INDENT = 1

CONNECTIONS = (
    Column("Connection", usual=NAME),
    Column("Pid", right=True, drop=9),
    Column("State"),
    Column("Message", drop=1),
    Column("Pong", drop=8),
    Column("Lost", right=True),
    Column("Restarts", right=True, drop=2),
    Column("Event", right=True, drop=7),
    Column("Journal", right=True),
)
HOSTS = (
    Column("Host process", usual=NAME),
    Column("Pid", right=True, drop=9),
    Column("State"),
    Column("Account", usual=NAME),
    Column("Event", right=True, drop=7),
    Column("Behind"),
    Column("Restarts", right=True, drop=2),
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


def print_status(status: Status, trouble: str) -> None:
    console = output()
    print_lines(console, screen(status, trouble, console.width))


def screen(status: Status, trouble: str, width: int) -> list[Text]:
    """Lines for a terminal so many columns wide.

    `trouble` says why this is not the status of a running qehost.
    """
    page = _Page(width - 2 * INDENT)
    page.tell(_headline(status, trouble))
    page.table(CONNECTIONS, [_connection(each, status) for each in status.connections])
    page.tell([_unprotected(each) for each in status.connections if not each.protected])
    several = any(len(host.cursors) > 1 for host in status.hosts)
    page.table(
        [column for column in HOSTS if several or column.heading != "Account"],
        [row for host in status.hosts for row in _host(host, several)],
    )
    if not status.reload.ok:
        page.tell([Text(f"The last reload failed: {status.reload.text}", BAD)])
    page.tell([line for host in status.hosts if (line := _call(host)) is not None])
    plugins = [_plugin(host, plugin) for host in status.hosts for plugin in host.plugins]
    if plugins:
        page.table(PLUGINS, plugins)
    if page.left_out:
        names = ", ".join(dict.fromkeys(page.left_out))
        page.tell([Text(f"No room here for {names}; --json has everything.", "dim")])
    return [Text(" " * INDENT).append_text(line) if line else line for line in page.lines]


class _Page:
    """Tables and texts, a blank line above each."""

    def __init__(self, width: int) -> None:
        self._width = width
        self.lines: list[Text] = []
        self.left_out: list[str] = []

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]]) -> None:
        laid = laid_out(columns, rows, self._width, "dim")
        self.lines += [Text(), *laid.lines]
        self.left_out += laid.left_out

    def tell(self, texts: Sequence[Text]) -> None:
        if texts:
            self.lines += [Text(), *(x for text in texts for x in flowing(text, self._width))]


def _headline(status: Status, trouble: str) -> list[Text]:
    line = Text.assemble(
        ("qehost ", "bold"), (status.version, "bold"), ("   pid ", "dim"), str(status.pid)
    )
    if not trouble:
        line.append("   running for ", "dim")
        line.append(duration(status.written_at - status.started_at), WELL)
    age = status.age()
    line.append("   written ", "dim")
    line.append(f"{age:.1f} s ago" if age < 10 else f"{duration(age)} ago", BAD if trouble else "")
    return [line, Text(trouble, BAD)] if trouble else [line]


def _connection(each: ConnectionState, status: Status) -> list[str | Text]:
    return [
        Text(each.account, "bold"),
        _pid(each.pid),
        _state(each, status),
        _since(each.last_message, status),
        _since(each.last_pong, status),
        _count(each.reconnects),
        _count(each.restarts),
        f"{each.last_seq:,}",
        Text(_size(each.journal_bytes), "" if each.protected else BAD),
    ]


def _unprotected(each: ConnectionState) -> Text:
    return Text.assemble(
        ("UNPROTECTED", BAD),
        f": account {each.account} is not journalled, a crash would lose events",
    )


def _host(host: HostState, several: bool) -> Iterable[list[str | Text]]:
    """A row for each account; the first one tells of the process, too."""
    process: list[str | Text] = [Text(host.name, "bold"), _pid(host.pid), _host_state(host)]
    restarts = _count(host.restarts)
    for cursor in host.cursors or [CursorState("", 0, 0, 0.0)]:
        account = [cursor.account] if several else []
        yield [*process, *account, f"{cursor.seq:,}", _behind(cursor), restarts]
        process, restarts = ["", "", ""], Text()


def _plugin(host: HostState, each: PluginState) -> list[str | Text]:
    return [
        Text(each.name, "bold") if each.active else Text(f"{each.name} (off)", BAD),
        host.name,
        f"{each.calls:,}",
        _count(each.errors),
        _count(each.dead_letters),
        _short(each.p50),
        _short(each.p99),
        Text(_short(each.slowest), UNSURE if each.slowest >= LATE else ""),
        duration(each.busy) if each.busy >= 1 else _short(each.busy),
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
        return Text("● starting", UNSURE)
    return Text("● running", WELL)


def _behind(cursor: CursorState) -> Text:
    if not cursor.lag_events:
        return Text("up to date", WELL)
    events = "event" if cursor.lag_events == 1 else "events"
    text = f"{cursor.lag_events:,} {events}, {duration(cursor.lag)}"
    return Text(text, UNSURE if cursor.lag < 10 else BAD)


def _call(host: HostState) -> Text | None:
    """The call that a process is at, where it takes long."""
    call = host.call
    if call is None or call.took < LATE:
        return None
    event = f" with event {call.seq:,} of account {call.account}" if call.seq else ""
    return Text.assemble(
        f"{host.name} has been in ",
        (f"{call.hook} of plugin {call.plugin}", "bold"),
        f"{event} for ",
        (duration(call.took), UNSURE if call.took < 10 else BAD),
    )


def _since(moment: float, status: Status) -> Text:
    """How long ago it was when the status was written; a dash for never."""
    if not moment:
        return Text("–", "dim")
    return Text(duration(max(0.0, status.written_at - moment)))


def _count(number: int) -> Text:
    return Text(f"{number:,}", UNSURE if number else "dim")


def duration(seconds: float) -> str:
    """Two units at most: `45 s`, `2 m 5 s`, `3 d 4 h`."""
    whole = int(seconds)
    parts: list[str] = []
    for size, unit in UNITS:
        count, whole = divmod(whole, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 ")) or "0 s"


def _short(seconds: float) -> str:
    """`12 µs`, `3.4 ms`, `1.25 s`"""
    for size, unit in ((1e-6, "µs"), (1e-3, "ms")):
        if seconds < 1000 * size:
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 10 or not value else f"{value:.1f} {unit}"
    return f"{seconds:.2f} s" if seconds < 100 else duration(seconds)


def _size(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
