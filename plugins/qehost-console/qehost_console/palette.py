"""The meaning of the colours.  Only the terminal's own sixteen, so every theme is readable."""

from __future__ import annotations

__all__ = ["LOUD", "QUIET", "side_style", "status_label", "status_style"]

QUIET = "dim"
LOUD = "bold red"

_STATUS = {
    # No blue: on black it is the colour that most themes leave unreadable.
    "NEW": "",
    "WAITING": "",
    "PLACED": "",
    "PROCESSING": "cyan",
    "PAUSED": "yellow",
    "COMPLETED": "green",
    "COMPLETED_WITHTAIL": "green",
    "FILLED": "green",
    "CANCEL": "yellow",
    "CANCELACK": "yellow",
    "CLEANING": "yellow",
    "CANCELLED": "yellow",
    "EXPIRED": "yellow",
    "REJECTED": "red",
    "CANCEL_REJECT": "red",
    "CANCEL_REJECTED": "red",
}
_LABELS = {"COMPLETED_WITHTAIL": "tail left"}


def status_style(status: str) -> str:
    """A style for any status text; an unknown one is only slightly emphasized."""
    return _STATUS.get(status.upper(), "magenta")


def status_label(status: str) -> str:
    """The status for the table: short and in lower case."""
    return _LABELS.get(status.upper()) or status.lower().replace("_", " ")


def side_style(side: str) -> str:
    """Green for buying, red for selling, as everywhere in trading."""
    return {"buy": "green", "sell": "red"}.get(side.lower(), "")
