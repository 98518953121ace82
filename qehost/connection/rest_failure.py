"""A REST call that failed: when it is tried again, and what may be said of it.  No I/O."""

from __future__ import annotations

from qehost.errors import Error, RestError
from qehost.network.backoff import Backoff, Pace

__all__ = ["delay_after", "is_rejected", "words_of"]


def is_rejected(error: Exception) -> bool:
    """Whether the venue does not accept the credentials: only people can mend that."""
    return isinstance(error, RestError) and error.status_code in (401, 403)


def delay_after(error: Exception, failures: Backoff, usual: Pace, rejected: Pace) -> float:
    """Note the failure; the seconds until the next try.

    `rejected` is the pace where the credentials are not accepted, `usual` that of all else.
    """
    pace = rejected if is_rejected(error) else usual
    if isinstance(error, RestError):
        return failures.failed(pace, status=error.status_code, asked=error.retry_after)
    return failures.failed(pace)


def words_of(error: Exception) -> str:
    """Anything else than our own errors may hold a secret in its text: of those the kind."""
    return str(error) if isinstance(error, Error) else type(error).__name__
