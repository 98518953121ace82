"""From what a program gives to the service to the task of its connection process."""

from __future__ import annotations

import logging
import os
from urllib.parse import urlsplit

from msgspec.structs import replace

from qehost.config.addresses import is_exposed_on_the_way
from qehost.config.settings import (
    AccountSettings,
    ConnectionSettings,
    HostSettings,
    JournalSettings,
)
from qehost.errors import ListenKeyError, ParameterArgumentError
from qehost.network.proxy import parse_proxy
from qehost.processes.control import ConnectionTask
from qehost.processes.logs import LogSettings
from qehost.rest.api import credentials_of
from qehost.secret import Secret, without_credentials
from qehost.service.logger import SafeLogger

__all__ = ["check_address", "check_proxy", "path_of", "task_of"]

log = SafeLogger(logging.getLogger("qehost.service"))


def check_address(base_url: object) -> None:
    """Raises ParameterArgumentError for what is no address of a stream."""
    shown = f"a {type(base_url).__name__}"
    try:
        if not isinstance(base_url, str):
            raise ValueError
        parts = urlsplit(base_url)
        # Without a host the whole of it is path, and could hold a password.
        shown = repr(without_credentials(base_url)) if parts.netloc else "what was given"
        right = parts.scheme in ("ws", "wss") and parts.hostname and not parts.query
        if not right or parts.port == 0:
            raise ValueError
    except ValueError:
        raise ParameterArgumentError(
            f"base_url must be the address of the stream, like wss://HOST or ws://HOST:PORT, "
            f"not {shown}"
        ) from None


def check_proxy(proxy: object) -> None:
    """Raises ParameterArgumentError for what is no proxy."""
    if not isinstance(proxy, str):
        raise ParameterArgumentError(f'proxy must be a URL, "" or "none", not {proxy!r}')
    if proxy not in ("", "none"):
        try:
            parse_proxy(proxy)
        except ValueError as error:
            raise ParameterArgumentError(f"proxy: {error}") from None


def path_of(name: str, path: object) -> str:
    """Raises ParameterArgumentError for what is no path."""
    text = path.__fspath__() if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise ParameterArgumentError(f"{name} must be a path, not {path!r}")
    return text


def task_of(
    client: object,
    listen_key: Secret,
    *,
    account: str,
    base_url: str,
    version: str,
    proxy: str,
    ca_file: str,
    connection: ConnectionSettings,
    queue_bytes: int,
    state_dir: str | None,
    replace_listen_key: bool = False,
) -> ConnectionTask:
    """`client` is whatever holds the credentials, an `API` or another library's client, or None.

    Raises ListenKeyError if there is neither a listen key nor the credentials to make one.
    """
    given = credentials_of(client)
    if not listen_key and not (given.api_key and (given.api_secret or given.private_key)):
        raise ListenKeyError(
            "there is neither a listen key nor the credentials to make one: call "
            "connect(listen_key), or give the service an API with api_key and api_secret"
        )
    settings = AccountSettings(
        ws_url=base_url,
        protocol="v1" if version == "v1" else "v2",
        api_key=given.api_key,
        api_secret=given.api_secret,
        private_key=given.private_key,
        private_key_pass=given.private_key_pass,
        listen_key=listen_key or None,
        replace_listen_key=replace_listen_key,
        proxy=Secret(proxy) if proxy else given.proxy,
        ca_file=ca_file,
    )
    if given.rest_url:
        settings = replace(settings, rest_url=given.rest_url)
    for url in (settings.ws_url, settings.rest_url if given.api_key else ""):
        if is_exposed_on_the_way(url):
            log.warning(
                "credentials go to %s in plain text, and everybody on the way can read them: use "
                "wss:// and https://",
                without_credentials(url),
            )
    return ConnectionTask(
        account=account,
        settings=settings,
        connection=connection,
        journal=JournalSettings(),
        host=HostSettings(queue_bytes=queue_bytes),
        state_dir="" if state_dir is None else os.path.abspath(os.path.expanduser(state_dir)),
        log=LogSettings(),
    )
