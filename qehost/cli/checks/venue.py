"""What `qehost check` asks the venue, for one account: REST, clock, credentials, stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlencode

from qehost.cli.checks import CheckResult, failed, ok, warning
from qehost.config.settings import AccountSettings, ConnectionSettings
from qehost.connection.stream import Stream, open_stream
from qehost.connection.stream_client import PATHS
from qehost.errors import Error, HandshakeError, RestError
from qehost.network.dial import tls_context
from qehost.processes.account_api import account_api
from qehost.rest import API, make_listen_key

__all__ = ["venue_checks"]

MAX_CLOCK_OFFSET = 1.0
"""Seconds; with more there is a warning."""


def venue_checks(
    name: str,
    account: AccountSettings,
    connection: ConnectionSettings,
    *,
    make_key: bool,
    running: int | None,
) -> Iterator[CheckResult]:
    """Each result as soon as it is known.

    A new listen key ends the one in use, so one is made only with `make_key`, and not while a
    process is `running` (its id; 0: not known).
    """
    api = account_api(account)
    try:
        reachable = _reach(name, api)
        yield reachable
        if reachable.state == "ok":
            yield _clock(name, api)
            credentials = _credentials(name, account, api)
            yield credentials
        else:
            credentials = CheckResult(f"credentials {name}", "skipped", "REST does not answer")
            yield credentials
        if not make_key:
            yield _stream_without_key(name, account, connection)
        elif running is not None:
            yield CheckResult(
                f"stream {name}",
                "skipped",
                f"{f'process {running}' if running else 'a qehost'} runs with this state folder, "
                "and a new listen key would end its stream",
                "leave out --listen-key-test, or stop it first",
            )
        elif credentials.state != "ok":
            yield CheckResult(f"stream {name}", "skipped", "no listen key can be made")
        else:
            yield _stream_with_new_key(name, account, connection, api)
    finally:
        api.close()


def _reach(name: str, api: API) -> CheckResult:
    subject = f"REST {name}"
    began = time.monotonic()
    try:
        api.ping()
    except Error as error:
        return failed(subject, str(error))
    return ok(subject, f"answers in {(time.monotonic() - began) * 1000:.0f} ms")


def _clock(name: str, api: API) -> CheckResult:
    subject = f"clock {name}"
    try:
        before = time.time()
        venue = api.timestamp() / 1000
        offset = venue - (before + time.time()) / 2
    except Error as error:
        return failed(subject, f"the venue does not give its time: {error}")
    side = "behind" if offset >= 0 else "ahead of"
    text = f"this machine is {abs(offset):.1f} s {side} the venue"
    if abs(offset) > MAX_CLOCK_OFFSET:
        return warning(subject, text, "qehost allows for it; still, have NTP set the clock")
    return ok(subject, text)


def _credentials(name: str, account: AccountSettings, api: API) -> CheckResult:
    subject = f"credentials {name}"
    if not api.has_credentials:
        why = "only a listen key was given" if account.listen_key else "there are none"
        return CheckResult(subject, "skipped", why)
    try:
        api.list_master_orders_v2(pageSize=1)
    except RestError as error:
        return failed(
            subject,
            f"a signed call was refused: {error}",
            "check api_key, api_secret and rest_url: they must belong together",
        )
    except Error as error:
        return failed(subject, str(error))
    return ok(subject, "a signed call was accepted")


def _stream_without_key(
    name: str, account: AccountSettings, connection: ConnectionSettings
) -> CheckResult:
    """Any HTTP answer shows that the venue can be reached."""
    subject = f"stream {name}"
    try:
        _open(account, connection, "").abort()
    except HandshakeError as error:
        if error.status in (400, 401, 403):
            return ok(subject, f"answers: HTTP {error.status} without a listen key, as it should")
        return failed(subject, str(error), "is ws_url right?")
    except Error as error:
        return failed(subject, str(error))
    return ok(subject, "answers")


def _stream_with_new_key(
    name: str, account: AccountSettings, connection: ConnectionSettings, api: API
) -> CheckResult:
    subject = f"stream {name}"
    try:
        key = make_listen_key(api, account.protocol).key.reveal()
        _open(account, connection, key).abort()
    except Error as error:
        return failed(subject, str(error))
    return ok(subject, "connected with a new listen key")


def _open(account: AccountSettings, connection: ConnectionSettings, key: str) -> Stream:
    query = f"?{urlencode({'listen_key': key})}" if key else ""
    return open_stream(
        f"{account.ws_url.rstrip('/')}{PATHS[account.protocol]}{query}",
        timeout=connection.connect_timeout,
        tls=tls_context(account.ca_file, account.client_cert, account.client_key),
        proxy=account.proxy.reveal(),
    )
