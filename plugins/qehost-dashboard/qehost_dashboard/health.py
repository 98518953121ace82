"""How qehost is: its connections, and what is wrong with it now."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from qehost import Context, Status
from qehost.errors import Error

__all__ = ["Health", "Link", "Trouble", "health_of", "read_health"]

OLD = 5.0
"""Seconds after which the status, written each second, is no longer the present."""
BEHIND = 5.0
"""Seconds that an event may wait for a plugin before it is told."""
LONG_CALL = 10.0


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """The stream of an account."""

    account: str
    state: str
    """`connected`, `connecting`, `waiting`, `starting`, `down`."""
    since: int = 0
    """Epoch ms, as are the others."""
    last_message: int = 0
    down_since: int = 0
    why: str = ""
    reconnects: int = 0
    protected: bool = False
    """What is received is being journalled."""
    journal_bytes: int = 0
    seq: int = 0
    gap: str = ""
    """The last time of which messages may be missing."""


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that is wrong now.  `kind`:

    `status` (it can't be read, or is `seconds` old), `down` (no stream for `who`), `unprotected`
    (what `who` receives is not journalled), `process` (the host process `who` is not there),
    `plugin` (`who` does not run: `text`), `told` (`who` says so itself), `dead_letters` (`count`
    of `who`), `behind` (`count` events wait for `who`), `call` (a hook of `who` has not returned).
    """

    kind: str
    who: str = ""
    text: str = ""
    since: int = 0
    count: int = 0
    seconds: float = 0.0


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of it.  `behind` is of whoever is furthest behind, `lag` how long the oldest event that
    is not delivered has waited (s)."""

    links: list[Link] = []
    troubles: list[Trouble] = []
    behind: int = 0
    lag: float = 0.0
    dead_letters: int = 0
    plugins: int = 0
    """That run, of `plugins_wanted`."""
    plugins_wanted: int = 0
    started: int = 0
    age: float = 0.0
    """Seconds since the status was written."""
    version: str = ""


def read_health(context: Context) -> Health:
    """Of the run that the plugin is in."""
    try:
        status = context.status()
    except Error as error:
        return Health(troubles=[Trouble("status", text=str(error))])
    if status is None:
        return Health()  # the run has just begun
    return health_of(status, status.age())


def health_of(status: Status, age: float) -> Health:
    plugins = [plugin for host in status.hosts for plugin in host.plugins]
    return Health(
        links=[
            Link(
                each.account,
                each.state,
                _ms(each.since),
                _ms(each.last_message),
                _ms(each.down_since),
                each.why,
                each.reconnects,
                each.protected,
                each.journal_bytes,
                each.last_seq,
                "" if each.last_gap is None else each.last_gap.text,
            )
            for each in status.connections
        ],
        troubles=list(_troubles(status, age)),
        behind=status.behind(),
        lag=round(status.lag(), 1),
        dead_letters=sum(plugin.dead_letters for plugin in plugins),
        plugins=sum(plugin.state == "running" for plugin in plugins),
        plugins_wanted=len(plugins),
        started=_ms(status.started_at),
        age=round(age, 1),
        version=status.version,
    )


def _troubles(status: Status, age: float) -> Iterator[Trouble]:
    if age > OLD:
        yield Trouble("status", seconds=round(age, 1))
    for each in status.connections:
        if each.state != "connected":
            yield Trouble("down", each.account, each.why, _ms(each.down_since or each.since))
        if not each.protected and each.state == "connected":
            yield Trouble("unprotected", each.account)
    for who, cursor in status.positions():
        if cursor.lag > BEHIND:
            yield Trouble(
                "behind", who, cursor.account, count=cursor.lag_events, seconds=round(cursor.lag, 1)
            )
    for host in status.hosts:
        if not host.pid:
            yield Trouble("process", host.name, host.why, _ms(host.since))
        if host.call is not None and host.call.took > LONG_CALL:
            call = host.call
            yield Trouble("call", call.plugin, call.hook, seconds=round(call.took, 1))
        for plugin in host.plugins:
            if plugin.state in ("waiting", "refused"):
                yield Trouble("plugin", plugin.name, plugin.why, _ms(plugin.since))
            if plugin.dead_letters:
                yield Trouble("dead_letters", plugin.name, count=plugin.dead_letters)
            for told in plugin.problems:
                yield Trouble("told", plugin.name, told.text, _ms(told.since))


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
