"""What was so before the console started, from the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qehost.errors import JournalError

from qehost_console.board import Board

if TYPE_CHECKING:
    from qehost.hookspecs import Context

__all__ = ["SECONDS", "read_past"]

SECONDS = 3.0
"""For the events of all accounts: a start must not take long, however long the journal is."""
_AT_THE_END = 1 << 62


def read_past(context: Context, board: Board, clock: Callable[[], float]) -> None:
    """Put the orders on the board that are open now, and of the past as much as there is time for,
    the newest first.

    The states of open orders stand in front of the first event, so with no event there are all of
    them.  A journal that can't be read is told in the log: what comes is shown all the same.
    """
    for account in context.accounts:
        try:
            for event in context.history(account, after_seq=_AT_THE_END):
                board.take(event)
            until = clock() + SECONDS / len(context.accounts)
            for event in context.history(account, newest_first=True):
                board.take(event)
                if clock() > until:
                    break
        except JournalError as error:
            context.logger.warning("account %s: what was before is not shown: %s", account, error)
