"""The general methods of the venue's client: any address, signed or not, with plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qehost.rest.calls import Calls
from qehost.rest.replies import Answer

__all__ = ["Requests"]

USAGE_HEADERS = ("x-mbx-used-weight", "x-mbx-order-count", "x-sapi-used")


class Requests:
    """What every other method is made of.

    Each returns the result as Python values.  With `show_limit_usage` or `show_header` an answer
    outside the venue's envelope is `{"limit_usage": …, "header": …, "data": …}`.
    """

    def __init__(self, calls: Calls, show_limit_usage: bool, show_header: bool) -> None:
        self.show_limit_usage = show_limit_usage
        self.show_header = show_header
        self._calls = calls

    def query(self, url_path: str, payload: Mapping[str, Any] | None = None) -> Any:
        """GET without a signature."""
        return self.send_request("GET", url_path, payload)

    def send_request(
        self, http_method: str, url_path: str, payload: Mapping[str, Any] | None = None
    ) -> Any:
        """The same with any method."""
        return self._value(self._calls.call(http_method, url_path, payload))

    def limit_request(
        self, http_method: str, url_path: str, payload: Mapping[str, Any] | None = None
    ) -> Any:
        """The same for what needs the API key, which every call carries."""
        return self.send_request(http_method, url_path, payload)

    def send_json_request(
        self,
        http_method: str,
        url_path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """A write with a JSON body, without a signature."""
        return self._value(self._calls.call(http_method, url_path, query, body or {}))

    def sign_request(
        self, http_method: str, url_path: str, payload: Mapping[str, Any] | None = None
    ) -> Any:
        """A signed call with everything in the query.

        `timestamp` and `signature` are added; `recvWindow` (ms, at most 60000) may be in `payload`.
        """
        return self._value(self._calls.call(http_method, url_path, payload, signed=True))

    def limited_encoded_sign_request(
        self, http_method: str, url_path: str, payload: Mapping[str, Any] | None = None
    ) -> Any:
        """The same as `sign_request`, which leaves `@` as it is, too."""
        return self.sign_request(http_method, url_path, payload)

    def sign_json_request(
        self,
        http_method: str,
        url_path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """A signed write with a JSON body; `recvWindow` belongs in `query`."""
        return self._value(self._calls.call(http_method, url_path, query, body or {}, signed=True))

    def _value(self, answer: Answer) -> Any:
        if answer.enveloped or not (self.show_limit_usage or self.show_header):
            return answer.value()
        result: dict[str, Any] = {}
        if self.show_limit_usage:
            result["limit_usage"] = {
                name: value
                for name, value in answer.headers.items()
                if name.startswith(USAGE_HEADERS)
            }
        if self.show_header:
            result["header"] = dict(answer.headers)
        return {**result, "data": answer.value()}
