"""When a REST call that failed is tried again, and what is said of it."""

from __future__ import annotations

import pytest

from qehost.connection.rest_failure import delay_after, is_rejected, words_of
from qehost.errors import ClientError, TransportError
from qehost.network.backoff import Backoff, Pace

USUAL, REJECTED = Pace(2.0, 120.0), Pace(60.0, 1_800.0)


def refusal(status: int, retry_after: float | None = None) -> ClientError:
    error = ClientError(status, None, "no", {})
    error.retry_after = retry_after
    return error


@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (TransportError("no answer"), 2.0),
        (ValueError("odd"), 2.0),
        (refusal(404), 2.0),
        (refusal(401), 60.0),
        (refusal(403), 60.0),
        (refusal(429), 20.0),
        (refusal(404, 7.0), 9.0),
    ],
)
def test_the_pace_follows_from_what_the_venue_said(error: Exception, delay: float) -> None:
    assert delay_after(error, Backoff(USUAL, None), USUAL, REJECTED) == delay
    assert is_rejected(error) == (delay == 60.0)


def test_the_text_of_an_error_that_is_not_ours_is_not_told() -> None:
    assert words_of(TransportError("no answer")) == "no answer"
    assert words_of(ValueError("a secret")) == "ValueError"
