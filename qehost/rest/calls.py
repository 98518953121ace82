"""One call to the venue: signed, sent, read, and repeated where that is safe."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote_plus
from weakref import WeakSet

from qehost.errors import APIError, ClientError, Error, ParameterRequiredError, RestError
from qehost.rest.clock import VenueClock
from qehost.rest.http import Http
from qehost.rest.replies import Answer, read
from qehost.rest.retries import Retries
from qehost.secret import without_keys
from qehost.signing import Signer, body_text, form_encode, string_to_sign

__all__ = ["Calls"]

log = logging.getLogger("qehost.rest")


class Calls:
    """Makes calls over `http` with one set of credentials.  Thread-safe.

    `sign` is None without credentials.  `secrets` are the texts that no error may hold, `now` is
    this machine's time in epoch seconds.
    """

    def __init__(
        self,
        http: Http,
        sign: Signer | None,
        secrets: Iterable[str],
        retries: Retries,
        now: Callable[[], float],
    ) -> None:
        self.http = http
        self.clock = VenueClock(self._read_time, now)
        self._sign = sign
        self._blot = _blotter(secrets)
        self._retries = retries
        self._rng = random.Random()
        _all.add(self)

    def start_afresh(self) -> None:
        """For a fork: to share nothing with its parent, and no delays with other forks."""
        self.http.start_afresh()
        self.clock.start_afresh()
        self._rng = random.Random()

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
        attempt = 1
        clock_was_set = False
        while True:
            try:
                return self._once(method, path, query or {}, body, signed)
            except RestError as error:
                if signed and _refuses_timestamp(error):
                    if clock_was_set:
                        _add(error, self.clock.words())
                        raise
                    # It was refused before anything was done, so this is safe for every call.
                    clock_was_set = True
                    self._measure_clock(error)
                    continue
                delay = self._retries.delay(attempt, error, self._rng) if method == "GET" else None
                if delay is None:
                    raise
                log.info("try %d failed, again in %.1f s: %s", attempt, delay, error)
                if not self.http.pause(delay):
                    raise
                attempt += 1

    def hide(self, text: str) -> str:
        """The text without the secrets."""
        return self._blot(text, ())

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        signed: bool,
    ) -> Answer:
        made: list[str] = []
        text = form_encode(query)
        if signed:
            if self._sign is None:
                raise ParameterRequiredError(["api_key", "api_secret or private_key"])
            fields = {name: value for name, value in query.items() if name != "signature"}
            fields["timestamp"] = str(self.clock.now_ms())
            signature = self._sign(string_to_sign(fields, body))
            encoded = quote_plus(signature)
            text = f"{form_encode(fields)}&signature={encoded}"
            made = [signature, encoded]
        reply = self.http.send(method, path, text, None if body is None else body_text(body))
        # Whatever a call for a key is answered, the key may stand in it.
        hide = without_keys if "listen-key" in path else str
        return read(reply, lambda shown: hide(self._blot(shown, made)))

    def _read_time(self) -> int:
        # Not by `call`: what was repeated after a pause would measure the pause.
        return self._once("GET", "/timestamp", {}, None, False).whole("serverTimeMilli")

    def _measure_clock(self, refusal: RestError) -> None:
        try:
            self.clock.measure()
        except Error as error:
            _add(refusal, f"and the venue's time could not be read: {error}")
            raise refusal from None


_all: WeakSet[Calls] = WeakSet()


def _all_afresh() -> None:
    for calls in list(_all):
        calls.start_afresh()


os.register_at_fork(after_in_child=_all_afresh)


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


def _blotter(secrets: Iterable[str]) -> Callable[[str, Iterable[str]], str]:
    """What takes the secrets, and more of them, out of a text.  No attribute leads to them."""
    lasting = tuple(secrets)

    def blot(text: str, more: Iterable[str]) -> str:
        for secret in (*lasting, *more):
            text = text.replace(secret, "••••")
        return text

    return blot
