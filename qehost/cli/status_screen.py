"""How the status looks on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from qehost.status import ConnectionState, CursorState, HostState, PluginState, Status

__all__ = ["duration", "print_status", "screen"]

WELL, UNSURE, BAD = "green", "yellow", "bold red"
STATES = {"connected": WELL, "connecting": UNSURE, "waiting": UNSURE, "starting": UNSURE}
UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
# A lag below this (seconds) is on its way rather than late, and so is a call.
LATE = 1.0
WIDE = 96
"""Columns of a terminal from which on everything is shown."""


def print_status(status: Status, trouble: str) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(screen(status, trouble, narrow=console.width < WIDE))


def screen(status: Status, trouble: str, *, narrow: bool = False) -> RenderableType:
    """`trouble` says why this is not the status of a running qehost."""
    parts: list[RenderableType] = [_headline(status, trouble), _connections(status, narrow)]
    parts.append(_hosts(status.hosts))
    if not status.reload.ok:
        parts.append(Text(f"The last reload failed: {status.reload.text}", BAD))
    parts += [line for host in status.hosts if (line := _call(host)) is not None]
    plugins = [(host, plugin) for host in status.hosts for plugin in host.plugins]
    if plugins:
        parts.append(_plugins(plugins, narrow))
    return Padding(Group(*parts), (1, 1, 0, 1))


def _headline(status: Status, trouble: str) -> RenderableType:
    line = Text.assemble(
        ("qehost ", "bold"), (status.version, "bold"), ("   pid ", "dim"), str(status.pid)
    )
    if not trouble:
        line.append("   running for ", "dim")
        line.append(duration(status.written_at - status.started_at), WELL)
    age = status.age()
    line.append("   written ", "dim")
    line.append(f"{age:.1f} s ago" if age < 10 else f"{duration(age)} ago", BAD if trouble else "")
    return Group(line, Text(trouble, BAD)) if trouble else line


def _connections(status: Status, narrow: bool) -> RenderableType:
    table = _table("Connection", "", "Message", *([] if narrow else ["Pong"]))
    _add_columns(table, "#Lost", "#Restarts", "#Event", "#Journal")
    for each in status.connections:
        table.add_row(
            _name(each.account, each.pid),
            _state(each, status),
            _since(each.last_message, status),
            *([] if narrow else [_since(each.last_pong, status)]),
            _count(each.reconnects),
            _count(each.restarts),
            f"{each.last_seq:,}",
            _size(each.journal_bytes) if each.protected else Text("UNPROTECTED", BAD),
        )
    return table


def _hosts(hosts: Iterable[HostState]) -> RenderableType:
    hosts = list(hosts)
    several = any(len(host.cursors) > 1 for host in hosts)
    table = _table("Host process", "", *(["Account"] if several else []))
    _add_columns(table, "#Event", "Behind", "#Restarts")
    for host in hosts:
        for number, cursor in enumerate(host.cursors or [CursorState("", 0, 0, 0.0)]):
            first = number == 0
            table.add_row(
                _name(host.name, host.pid) if first else "",
                _host_state(host) if first else "",
                *([cursor.account] if several else []),
                f"{cursor.seq:,}",
                _behind(cursor),
                _count(host.restarts) if first else "",
            )
    return table


def _plugins(plugins: Iterable[tuple[HostState, PluginState]], narrow: bool) -> RenderableType:
    table = _table("Plugin", "Process", "#Calls", "#Errors", "#Dead letters")
    _add_columns(table, "#p50", "#p99", "#Slowest", *([] if narrow else ["#Busy"]))
    for host, each in plugins:
        table.add_row(
            Text(each.name, "bold") if each.active else Text(f"{each.name} (off)", BAD),
            host.name,
            f"{each.calls:,}",
            _count(each.errors),
            _count(each.dead_letters),
            _short(each.p50),
            _short(each.p99),
            Text(_short(each.slowest), UNSURE if each.slowest >= LATE else ""),
            *([] if narrow else [duration(each.busy) if each.busy >= 1 else _short(each.busy)]),
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        header_style="dim",
        border_style="dim",
    )
    _add_columns(table, *columns)
    return table


def _add_columns(table: Table, *names: str) -> None:
    """`#` before a name: a column of numbers."""
    for name in names:
        justify: Literal["left", "right"] = "right" if name.startswith("#") else "left"
        table.add_column(name.removeprefix("#"), justify=justify, no_wrap=True)


def _name(name: str, pid: int) -> Text:
    return Text.assemble((name, "bold"), (f" {pid}" if pid else "", "dim"))


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
        f" {host.name} has been in ",
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
