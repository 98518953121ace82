"""The status as one line and an exit code, in the form that Nagios, Icinga and their like read.

`WARNING: text; text | name=value;warn;crit`: the figures behind the bar are stored and drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qehost.cli.status_findings import Finding, Limits
from qehost.cli.units import format_duration
from qehost.processes.escape import visible
from qehost.storage.status import Status

__all__ = ["CheckLine", "check_line"]

CODES = {"OK": 0, "WARNING": 1, "CRITICAL": 2}


class CheckLine(NamedTuple):
    line: str
    code: int
    """0, 1 or 2."""


def check_line(status: Status | None, found: Sequence[Finding], limits: Limits) -> CheckLine:
    """`found` is what is wrong, the worst first; notices don't count."""
    told = [each for each in found if each.level != "notice"]
    word = told[0].level.upper() if told else "OK"
    # The bar is the separator.
    text = "; ".join(each.text for each in told).replace("|", "/") or (
        _all_is_well(status) if status is not None else ""
    )
    figures = " ".join(_figures(status, limits)) if status is not None else ""
    return CheckLine(f"{word}: {visible(text)}{figures and f' | {figures}'}", CODES[word])


def _all_is_well(status: Status) -> str:
    """`account main is connecting for 3 s` stands first: it is no fault yet."""
    connecting = [
        f"account {each.account} is connecting for "
        f"{format_duration(status.written_at - each.down_since)}"
        for each in status.connections
        if each.down_since
    ]
    return "; ".join([*connecting, status.summary()])


def _figures(status: Status, limits: Limits) -> Iterator[str]:
    """The worst of each kind, with the limit from which on it is critical."""
    down = max(
        (status.written_at - c.down_since for c in status.connections if c.down_since), default=0.0
    )
    letters = sum(plugin.dead_letters for host in status.hosts for plugin in host.plugins)
    usages = [
        status.usage,
        *(each.usage for each in status.connections),
        *(host.usage for host in status.hosts),
    ]
    yield f"down={down:.0f}s;;{limits.down:g}"
    yield f"behind={status.behind()};;{limits.behind}"
    yield f"lag={status.lag():.1f}s;;{limits.lag:g}"
    yield f"dead_letters={letters}"
    yield f"memory={sum(each.memory for each in usages)}B"
    yield f"open_files={max(each.open_files for each in usages)}"
