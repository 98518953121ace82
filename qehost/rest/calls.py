"""One call to the venue: signed, sent, read, and repeated where that is safe."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any
from urllib.parse import quote_plus

from qehost.errors import (
    APIError,
    ClientError,
    Error,
    ParameterRequiredError,
    RestError,
    ServerError,
)
from qehost.rest.clock import VenueClock
from qehost.rest.http import ApiClosed, Http
from qehost.rest.replies import Answer, read
from qehost.rest.retries import Retries
from qehost.rest.signing import Signer, body_text, form_encode, string_to_sign
from qehost.secret import Secret, redact, redact_keys

__all__ = ["Calls"]

log = logging.getLogger("qehost.rest")

EARLIEST_MS, LATEST_MS = 1_420_070_400_000, 4_102_444_800_000
"""The years 2015 and 2100: an answer outside of them is no time, or not in milliseconds."""


class Calls:
    """Makes calls over `http` with one set of credentials.  Thread-safe.

    `sign` is None without credentials, `now` is this machine's time in epoch seconds.
    """

    _caller: Callable[[], str] | None = None
    """Says for the log who calls."""

    def __init__(
        self, http: Http, sign: Signer | None, retries: Retries, now: Callable[[], float]
    ) -> None:
        self.http = http
        self.clock = VenueClock(self._read_time, now)
        self._sign = sign
        self._retries = retries
        self._rng = random.Random()

    def logged_as(self, caller: Callable[[], str]) -> Calls:
        """The same connections, clock and credentials; actions are logged as those of `caller()`,
        once before they are sent and once with what came of them."""
        calls = copy(self)
        calls._caller = caller
        return calls

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        signed: bool = False,
    ) -> Answer:
        """The result.  Raises a `RestError`, or `ParameterRequiredError` without credentials."""
        if self._caller is None or method == "GET":
            return self._call(method, path, query, body, signed)
        action = f"{self._caller()}: {method} {path}"
        log.info("%s", action)
        try:
            answer = self._call(method, path, query, body, signed)
        except RestError as error:
            outcome = "its outcome is unknown" if error.outcome_unknown else "not done"
            log.warning("%s: %s: %s", action, outcome, error)
            raise
        log.info("%s: answered", action)
        return answer

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        signed: bool,
    ) -> Answer:
        self.http.check_process()
        attempt = 1
        clock_was_measured = False
        while True:
            try:
                return self._once(method, path, query or {}, body, signed)
            except ApiClosed:
                raise
            except RestError as error:
                if signed and _may_mean_the_clock(error) and not clock_was_measured:
                    # It was refused before anything was done, so this is safe for every call.
                    clock_was_measured = True
                    before = self.clock.jumped
                    try:
                        self.clock.measure()
                    except Error as failure:
                        if _refuses_timestamp(error):
                            _add(error, f"and the venue's time could not be read: {failure}")
                        raise error from None
                    if _refuses_timestamp(error) or self.clock.jumped != before:
                        continue
                elif signed and _refuses_timestamp(error):
                    _add(error, self.clock.words())
                    raise
                delay = self._retries.delay(attempt, error, self._rng) if method == "GET" else None
                if delay is None:
                    raise
                log.info("try %d failed, again in %.1f s: %s", attempt, delay, error)
                if not self.http.pause(delay):
                    raise
                attempt += 1

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        signed: bool,
    ) -> Answer:
        target = signature = Secret("")
        if signed:
            target, signature = self._signed(query, body)
        elif query:
            target = Secret(form_encode(query), remembered=False)
        reply = self.http.send(method, path, target, None if body is None else body_text(body))

        def clean(text: str) -> str:
            made = signature.reveal()
            text = redact(text, made, quote_plus(made)) if made else redact(text)
            # Whatever a call for a key is answered, the key may stand in it.
            return redact_keys(text) if "listen-key" in path else text

        return read(reply, clean)

    def _signed(
        self, query: Mapping[str, Any], body: Mapping[str, Any] | None
    ) -> tuple[Secret, Secret]:
        """The query as it is sent, and the signature in it."""
        if self._sign is None:
            raise ParameterRequiredError(["api_key", "api_secret or private_key"])
        fields = {name: value for name, value in query.items() if name != "signature"}
        fields["timestamp"] = str(self.clock.now_ms())
        signature = self._sign(string_to_sign(fields, body))
        text = f"{form_encode(fields)}&signature={quote_plus(signature)}"
        return Secret(text, remembered=False), Secret(signature, remembered=False)

    def _read_time(self) -> int:
        # Not by `call`: what was repeated after a pause would measure the pause.
        answer = self._once("GET", "/timestamp", {}, None, False)
        time_ms = answer.whole("serverTimeMilli")
        if not EARLIEST_MS < time_ms < LATEST_MS:
            raise ServerError(answer.status, f"{time_ms} is no time of today in milliseconds")
        return time_ms


def _may_mean_the_clock(error: RestError) -> bool:
    """Whether it may be the timestamp that the venue refuses, whatever it says."""
    if _refuses_timestamp(error) or error.status_code in (401, 403):
        return True
    return error.status_code < 500 and "expired" in str(error).lower()


def _refuses_timestamp(error: RestError) -> bool:
    """The venue documents no code for it, so its words count; -1021 is the exchanges' code."""
    if error.status_code >= 500:
        return False  # it may have been carried out in part, whatever the words are about
    match error:
        case APIError():
            code, words = error.code, f"{error.reason} {error.message}"
        case ClientError():
            code, words = error.error_code, str(error.error_message)
        case _:
            return False
    return code == -1021 or "timestamp" in words.lower() or "recvwindow" in words.lower()


def _add(error: RestError, words: str) -> None:
    match error:
        case APIError():
            error.message = f"{error.message} ({words})"
        case ClientError():
            error.error_message = f"{error.error_message} ({words})"
