"""`API`: the venue's REST interface as methods."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import msgspec

from qehost.errors import ParameterArgumentError, ParameterValueError
from qehost.rest.calls import Calls
from qehost.rest.clock import VenueClock
from qehost.rest.exchange_accounts import ExchangeAccounts
from qehost.rest.http import Http
from qehost.rest.orders import Orders
from qehost.rest.parameters import checked, seconds
from qehost.rest.requests import Requests
from qehost.rest.retries import Retries
from qehost.rest.signing import hmac_signer, key_signer
from qehost.rest.trading_v1 import TradingV1
from qehost.secret import Secret, hiding_arguments

__all__ = ["API", "Credentials", "credentials_of"]

DEFAULT_URL = "https://api.quantumexecute.com"
DEFAULT_TIMEOUT = 10.0  # seconds


class Credentials(msgspec.Struct, frozen=True):
    """What an `API` was given, for what acts beside it.

    `rest_url` is the base URL; None and `""` are what was not given.
    """

    api_key: Secret | None = None
    api_secret: Secret | None = None
    private_key: Secret | None = None
    private_key_pass: Secret | None = None
    rest_url: str = ""
    proxy: Secret = Secret("")


class API(Orders, TradingV1, ExchangeAccounts, Requests):
    """The venue's REST interface, with the documented constructor, names and parameters.

    It has the methods of the venue's `User`, `Pub` and `Status`.

    Args:
        api_key: sent in the header of every call.
        api_secret: signs with HMAC-SHA256.
        base_url: with the `/strategy-api` prefix where a deployment has one.
        timeout: seconds for one try as a whole, from DNS to the last byte; of a pair (to connect,
            to read) the sum counts.
        proxies: `{"https": "http://user:password@host:port"}`; without it the environment's.
        show_limit_usage, show_header: see `Requests`.
        time_unit: `"millisecond"` or `"microsecond"`, sent along as a header.
        private_key: RSA or Ed25519, as PEM text; signs in place of the secret.
        private_key_pass: its passphrase.
        ssl_context: for https; by default the system's certificates and TLS 1.2 at least.
        proxy: in place of `proxies`, as in the settings: a URL, `""` for the environment's, or
            `"none"`.
        retries: how calls that are safe to repeat are repeated.
        clock: this machine's time in epoch seconds.

    A `Secret` may stand wherever one of them is a secret.  An `API` belongs to the process that
    made it: in a fork every call raises `TransportError`.
    """

    _address = ""
    """What `repr` shows; also of one whose constructor raised, which a traceback may show."""

    @hiding_arguments
    def __init__(
        self,
        api_key: str | Secret | None = None,
        api_secret: str | Secret | None = None,
        base_url: str | None = None,
        timeout: float | tuple[float, float] | None = None,
        proxies: Mapping[str, str] | None = None,
        show_limit_usage: bool = False,
        show_header: bool = False,
        time_unit: str | None = None,
        private_key: str | Secret | None = None,
        private_key_pass: str | Secret | None = None,
        *,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | Secret = "",
        retries: Retries | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.base_url = (base_url or DEFAULT_URL).rstrip("/")
        given = Credentials(
            api_key=_secret(api_key),
            api_secret=_secret(api_secret),
            private_key=_secret(private_key),
            private_key_pass=_secret(private_key_pass),
            rest_url=self.base_url,
            proxy=_secret(proxy or (proxies or {}).get(self.base_url.partition(":")[0]))
            or Secret(""),
        )
        if given.api_key:
            text = given.api_key.reveal()
            if not (text.isascii() and text.isprintable()):
                raise ParameterArgumentError(
                    "api_key holds a character that no key has: a line break, perhaps?"
                )
        headers = {"Content-Type": "application/json;charset=utf-8"}
        if time_unit is not None:
            if time_unit.lower() not in ("millisecond", "microsecond"):
                raise ParameterValueError([time_unit])
            headers["X-MBX-TIME-UNIT"] = time_unit

        sign = None
        if given.private_key:
            sign = key_signer(given.private_key, given.private_key_pass)
        elif given.api_secret:
            sign = hmac_signer(given.api_secret)
        self.has_credentials = bool(given.api_key and sign)
        """Whether signed calls are possible."""

        http = Http(
            self.base_url,
            headers,
            api_key=given.api_key,
            timeout=seconds(timeout, DEFAULT_TIMEOUT),
            ssl_context=ssl_context,
            proxy=given.proxy,
        )
        self._address = http.address
        # A function, so that `vars()` of an API shows nothing that was given.
        self._credentials: Callable[[], Credentials] = lambda: given
        calls = Calls(http, sign if self.has_credentials else None, retries or Retries(), clock)
        super().__init__(calls, show_limit_usage, show_header)

    def __repr__(self) -> str:
        return f"API(base_url={self._address!r})"

    def logged_as(self, caller: Callable[[], str]) -> API:
        """The same client, with the same connections, whose actions are logged as those of
        `caller()`.  To close one is to close both."""
        api = copy(self)
        api._calls = self._calls.logged_as(caller)
        return api

    @property
    def timeout(self) -> float:
        """Seconds for one try as a whole.  May be set."""
        return self._calls.http.timeout

    @timeout.setter
    def timeout(self, value: float | tuple[float, float] | None) -> None:
        self._calls.http.timeout = seconds(value, DEFAULT_TIMEOUT)

    def close(self) -> None:
        """End what is under way in other threads with a `TransportError`; refuse new calls."""
        self._calls.http.close()

    def ping(self) -> None:
        """Return if the venue answers."""
        self._calls.call("GET", "/ping")

    def timestamp(self) -> int:
        """The venue's time, in epoch milliseconds."""
        return self._calls.call("GET", "/timestamp").whole("serverTimeMilli")

    def trading_pairs(self, **params: Any) -> Any:
        """One page of what can be traded: items, total, page, pageSize.  `exchange`, `marketType`
        (SPOT, PERP) and `isCoin` (coin-margined contracts) choose."""
        return self.query("/pub/trading-pairs", checked(params))

    def trading_pairs_v2(self, **params: Any) -> Any:
        """All that can be traded: items.  Chosen as in `trading_pairs`, but without pages."""
        return self.query("/pub/v2/trading-pairs", checked(params))

    def clock_offset(self) -> float:
        """Seconds that this machine's clock is behind the venue's; negative where it is ahead.

        Measured every ten minutes, when a clock was set, and when the venue refuses a signed call;
        0 while it can't be measured.
        """
        self._calls.http.check_process()
        self._calls.clock.now_ms()
        return self._calls.clock.offset

    @property
    def venue_clock(self) -> VenueClock:
        """The venue's time."""
        return self._calls.clock


def credentials_of(client: object) -> Credentials:
    """Of an `API`, or of a client of another library that has them as attributes, as the venue's
    own has: api_key, api_secret, private_key, private_key_pass, base_url."""
    if isinstance(client, API):
        return client._credentials()
    return Credentials(
        api_key=_secret(getattr(client, "api_key", None)),
        api_secret=_secret(getattr(client, "api_secret", None)),
        private_key=_secret(getattr(client, "private_key", None)),
        private_key_pass=_secret(getattr(client, "private_key_pass", None)),
        rest_url=str(getattr(client, "base_url", None) or ""),
    )


def _secret(value: Any) -> Secret | None:
    match value:
        case Secret() if value:
            return value
        case bytes() if value:
            return Secret(value.decode())
        case str() if value:
            return Secret(value)
        case _:
            return None
