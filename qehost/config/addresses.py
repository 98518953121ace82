"""The addresses of an account: whether they are any, and may be sent what is sent there."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from qehost.config.settings import AccountSettings
from qehost.network.proxy import check_host, parse_proxy

__all__ = ["address_mistakes", "is_exposed_on_the_way"]


def address_mistakes(account: AccountSettings) -> Iterator[tuple[str, str]]:
    """The settings that are wrong, and what is wrong with them."""
    has_key = bool(account.api_key)
    listen_key = "the listen key" if account.listen_key or has_key else ""
    calls = "the API key and signed calls" if has_key else ""
    for field, url, scheme, sent in (
        ("ws_url", account.ws_url, "ws", listen_key),
        ("rest_url", account.rest_url, "http", calls),
    ):
        if "?" in url or "@" in url:
            yield (
                field,
                "no query and no password belong in here; the listen key has a setting of its own",
            )
        elif not url.startswith((f"{scheme}://", f"{scheme}s://")) or not _is_valid(url):
            yield field, f"{url!r} is no URL of the form {scheme}s://host[:port]"
        elif sent and not account.insecure and is_exposed_on_the_way(url):
            text = (
                f"{url} would send {sent} in plain text over the network: use {scheme}s://, or "
                "allow it with insecure = true in this section, or --insecure"
            )
            yield field, text
    if (proxy := account.proxy.reveal()) not in ("", "none"):
        try:
            parse_proxy(proxy)
        except ValueError as error:
            yield "proxy", str(error)


def is_exposed_on_the_way(url: str) -> bool:
    """Whether what is sent there can be read on its way: no TLS, and to another machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "http"):
        return False
    host = (parts.hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


def _is_valid(url: str) -> bool:
    """Whether it has a valid host and port.  urllib checks the port when it is read."""
    if not url.isprintable() or " " in url or "#" in url:
        return False
    try:
        parts = urlsplit(url)
        check_host(parts.hostname)
        return parts.port != 0
    except ValueError:
        return False
