"""`API`: the venue's REST interface as methods."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from qehost.errors import APIError, ParameterArgumentError, ParameterValueError, ServerError
from qehost.rest.calls import Calls
from qehost.rest.credentials import Credentials, remember
from qehost.rest.documented import Documented
from qehost.rest.http import Http
from qehost.rest.pages import pages
from qehost.rest.parameters import (
    MAX_PAGE_SIZE,
    Exact,
    When,
    id_list,
    page_query,
    rfc3339,
    seconds,
    update_body,
)
from qehost.rest.paths import LISTEN_KEY, MASTER_ORDERS, ORDER_FILLS, order_path
from qehost.rest.replies import Answer, BatchCancelReply, ListenKey, Page
from qehost.rest.retries import Retries
from qehost.secret import Secret, hiding_arguments, without_keys
from qehost.signing import hmac_signer, key_signer

__all__ = ["API"]

DEFAULT_URL = "https://api.quantumexecute.com"
DEFAULT_TIMEOUT = 10.0  # seconds


class API(Documented):
    """The venue's REST interface, with the documented constructor.

    Args:
        api_key: sent in the header of every call.
        api_secret: signs with HMAC-SHA256.
        base_url: with the `/strategy-api` prefix where a deployment has one.
        timeout: seconds for one try as a whole, from DNS to the last byte; of a pair (to connect,
            to read) the sum counts.
        proxies: `{"https": "http://user:password@host:port"}`; without it the environment's.
        show_limit_usage, show_header: `query` and the `sign_…` methods return
            `{"limit_usage": …, "header": …, "data": …}` for an answer outside the venue's envelope.
        time_unit: `"millisecond"` or `"microsecond"`, sent along as a header.
        private_key: RSA or Ed25519, as PEM text; signs in place of the secret.
        private_key_pass: its passphrase.
        ssl_context: for https; by default the system's certificates and TLS 1.2 at least.
        proxy: in place of `proxies`, as in the settings: a URL, `""` for the environment's, or
            `"none"`.
        retries: how calls that are safe to repeat are repeated.
        clock: this machine's time in epoch seconds.
    """

    _address = ""
    """What `repr` shows; also of one whose constructor raised, which a traceback may show."""

    @hiding_arguments
    def __init__(
        self,
        api_key: str | None = None,
        api_secret: str | None = None,
        base_url: str | None = None,
        timeout: float | tuple[float, float] | None = None,
        proxies: Mapping[str, str] | None = None,
        show_limit_usage: bool = False,
        show_header: bool = False,
        time_unit: str | None = None,
        private_key: str | None = None,
        private_key_pass: str | None = None,
        *,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str = "",
        retries: Retries | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.base_url = (base_url or DEFAULT_URL).rstrip("/")
        headers = {"Content-Type": "application/json;charset=utf-8"}
        if api_key:
            if not (api_key.isascii() and api_key.isprintable()):
                raise ParameterArgumentError(
                    "api_key holds a character that no key has: a line break, perhaps?"
                )
            headers["X-MBX-APIKEY"] = api_key
        if time_unit is not None:
            if time_unit.lower() not in ("millisecond", "microsecond"):
                raise ParameterValueError([time_unit])
            headers["X-MBX-TIME-UNIT"] = time_unit

        sign = None
        if private_key:
            sign = key_signer(private_key, private_key_pass)
        elif api_secret:
            sign = hmac_signer(api_secret)
        self.has_credentials = bool(api_key and sign)
        """Whether signed calls are possible."""

        scheme = self.base_url.partition(":")[0]
        chosen = proxy or (proxies or {}).get(scheme, "")
        http = Http(
            self.base_url,
            headers,
            timeout=seconds(timeout, DEFAULT_TIMEOUT),
            ssl_context=ssl_context,
            proxy=chosen,
        )
        self._address = http.address
        calls = Calls(
            http,
            sign if self.has_credentials else None,
            # A short one would blot out ordinary words; the venue's are long.
            [text for text in (api_key, api_secret) if text and len(text) >= 6],
            retries or Retries(),
            clock,
        )
        super().__init__(calls, show_limit_usage, show_header)
        remember(
            self,
            Credentials(
                api_key=_secret(api_key),
                api_secret=_secret(api_secret),
                private_key=_secret(private_key),
                private_key_pass=_secret(private_key_pass),
                rest_url=self.base_url,
                proxy=Secret(chosen),
            ),
        )

    def __repr__(self) -> str:
        return f"API(base_url={self._address!r})"

    def close(self) -> None:
        """End what is under way in other threads with a `TransportError`; refuse new calls."""
        self._calls.http.close()

    # --- public ---------------------------------------------------------------------------------

    def ping(self) -> None:
        """Return if the venue answers."""
        self._calls.call("GET", "/ping")

    def timestamp(self) -> int:
        """The venue's time, in epoch milliseconds."""
        return self._calls.call("GET", "/timestamp").whole("serverTimeMilli")

    def clock_offset(self) -> float:
        """Seconds that this machine's clock is behind the venue's; negative where it is ahead.

        Measured once, and again when the venue refuses a timestamp; 0 while it can't be measured.
        """
        self._calls.clock.now_ms()
        return self._calls.clock.offset

    # --- listen key -----------------------------------------------------------------------------

    def create_listen_key(self, version: Literal["v2", "v1"] = "v2") -> ListenKey:
        """Make a listen key.  **This ends the user's key from before**, and its connection.

        Never repeated by itself.  If the answer is lost, the old key may have ended nevertheless;
        calling again is right, because the last key that was made is the one that counts.
        """
        if version not in LISTEN_KEY:
            raise ParameterValueError([version])
        answer = self._calls.call("POST", LISTEN_KEY[version], signed=True)
        reply = _accepted(answer, lambda text: without_keys(self._calls.hide(text)))
        try:
            expire_at = int(reply.get("expireAt") or 0)
        except (TypeError, ValueError, OverflowError):
            expire_at = 0
        return ListenKey(str(answer.field("listenKey")), expire_at)

    # --- master orders and order fills ----------------------------------------------------------

    def master_orders(
        self,
        *,
        page: int = 1,
        page_size: int = MAX_PAGE_SIZE,
        status: Literal["NEW", "COMPLETED"] | None = None,
        exchange: str | None = None,
        symbol: str | None = None,
        algorithm: str | None = None,
        api_key_id: str | None = None,
        start_time: When | None = None,
        end_time: When | None = None,
        master_order_id: str | None = None,
    ) -> Page:
        """One page of the master orders.

        `status` is `NEW` for all that still run and `COMPLETED` for all that don't, whatever their
        own status says; for any other the venue finds nothing.  `page` counts from 1, `page_size`
        goes up to 100.
        """
        if status not in (None, "NEW", "COMPLETED"):
            raise ParameterValueError([status])
        filters = {
            "status": status,
            "exchange": exchange,
            "symbol": symbol,
            "algorithm": algorithm,
            "apiKeyId": api_key_id,
            "startTime": rfc3339("start_time", start_time),
            "endTime": rfc3339("end_time", end_time),
            "masterOrderId": master_order_id,
        }
        return self._page(MASTER_ORDERS, page, page_size, filters)

    def master_order_pages(self, *, max_pages: int | None = None, **filters: Any) -> Iterator[Page]:
        """All master orders, page by page, each once even where they shift while being read.

        Takes what `master_orders` takes, but `page`.  Raises `IncompleteList` after the last page,
        if the venue counts more than it gave, or if there are more than `max_pages`.
        """
        return pages(
            lambda page: self.master_orders(page=page, **filters),
            lambda item: item.get("masterOrderId", ""),
            max_pages,
        )

    def master_order(self, master_order_id: str) -> dict[str, Any]:
        """One master order, by the venue's id: the venue's V2 object."""
        return self._object(order_path("master_order_id", master_order_id))

    def master_order_by_client_order_id(self, client_order_id: str) -> dict[str, Any]:
        """One master order, by the id that its maker gave it: the venue's V2 object."""
        return self._object(order_path("client_order_id", client_order_id, "/by-client-order-id"))

    def order_fills(
        self,
        *,
        page: int = 1,
        page_size: int = MAX_PAGE_SIZE,
        master_order_id: str | None = None,
        order_id: str | None = None,
        client_order_id: str | None = None,
        symbol: str | None = None,
        status: str | None = None,
        start_time: When | None = None,
        end_time: When | None = None,
    ) -> Page:
        """One page of the child orders with their fills.  `order_id` is the exchange's."""
        filters = {
            "masterOrderId": master_order_id,
            "orderId": order_id,
            "clientOrderId": client_order_id,
            "symbol": symbol,
            "status": status,
            "startTime": rfc3339("start_time", start_time),
            "endTime": rfc3339("end_time", end_time),
        }
        return self._page(ORDER_FILLS, page, page_size, filters)

    def order_fill_pages(self, *, max_pages: int | None = None, **filters: Any) -> Iterator[Page]:
        """All child orders, page by page, as `master_order_pages`."""
        return pages(
            lambda page: self.order_fills(page=page, **filters),
            lambda item: item.get("id", ""),
            max_pages,
        )

    # --- actions --------------------------------------------------------------------------------

    def pause_master_order(self, master_order_id: str) -> str:
        """Pause a running master order.  Returns the venue's message, often `""`.

        This and the other actions return when the venue has accepted them.  A refusal raises
        `APIError`, also one that comes as `success: false`.
        """
        return self._act(order_path("master_order_id", master_order_id, after="/pause"), {})

    def resume_master_order(self, master_order_id: str) -> str:
        """Let a paused master order go on."""
        return self._act(order_path("master_order_id", master_order_id, after="/resume"), {})

    def cancel_master_order(self, master_order_id: str, reason: str | None = None) -> str:
        """Cancel a master order."""
        path = order_path("master_order_id", master_order_id, after="/cancel")
        return self._act(path, {"reason": reason})

    def update_master_order(
        self,
        master_order_id: str,
        *,
        execution_duration_seconds: int | None = None,
        total_quantity: Exact | None = None,
        order_notional: Exact | None = None,
        up_tolerance: Exact | None = None,
        low_tolerance: Exact | None = None,
        maker_rate_limit: Exact | None = None,
        pov_limit: Exact | None = None,
        pov_min_limit: Exact | None = None,
        worst_price: Exact | None = None,
        enable_make: bool | None = None,
        strict_up_bound: bool | None = None,
        tail_order_protection: bool | None = None,
        must_complete: bool | None = None,
    ) -> str:
        """Change a running master order; what is left out stays as it is.

        Decimals reach the venue digit for digit; a float is refused.  The duration is more than 10
        seconds.  A `worst_price` of -1 means none.
        """
        fields = {
            "execution_duration_seconds": execution_duration_seconds,
            "total_quantity": total_quantity,
            "order_notional": order_notional,
            "up_tolerance": up_tolerance,
            "low_tolerance": low_tolerance,
            "maker_rate_limit": maker_rate_limit,
            "pov_limit": pov_limit,
            "pov_min_limit": pov_min_limit,
            "worst_price": worst_price,
            "enable_make": enable_make,
            "strict_up_bound": strict_up_bound,
            "tail_order_protection": tail_order_protection,
            "must_complete": must_complete,
        }
        path = order_path("master_order_id", master_order_id, after="/update")
        return self._act(path, update_body(fields))

    def batch_cancel_master_orders(
        self, master_order_ids: Iterable[str], reason: str | None = None
    ) -> BatchCancelReply:
        """Cancel several master orders.  Those in the reply's `failed_orders` still run."""
        ids = id_list("master_order_ids", master_order_ids)
        body = {"masterOrderIds": ids, "reason": reason}
        answer = self._calls.call("PUT", f"{MASTER_ORDERS}/batch-cancel", body=body, signed=True)
        return BatchCancelReply.of(answer)

    # --------------------------------------------------------------------------------------------

    def _page(self, path: str, page: int, page_size: int, filters: dict[str, Any]) -> Page:
        query = page_query(page, page_size, filters)
        return Page.of(self._calls.call("GET", path, query, signed=True), page, page_size)

    def _object(self, path: str) -> dict[str, Any]:
        answer = self._calls.call("GET", path, signed=True)
        value = answer.value()
        if not isinstance(value, dict):
            raise ServerError(answer.status, "the answer is no object")
        return value

    def _act(self, path: str, body: Mapping[str, Any]) -> str:
        answer = self._calls.call("PUT", path, body=body, signed=True)
        reply = _accepted(answer, self._calls.hide)
        return str(reply.get("message") or "")


def _secret(text: str | None) -> Secret | None:
    return Secret(text) if text else None


def _accepted(answer: Answer, clean: Callable[[str], str]) -> dict[str, Any]:
    """The reply of an action.  `success: false` is a refusal, whatever the envelope says."""
    value = answer.value()
    reply: dict[str, Any] = value if isinstance(value, dict) else {}
    if reply.get("success") in (False, "false"):
        message = str(reply.get("message") or "no reason was given")
        raise APIError(200, "not successful", clean(message))
    return reply
