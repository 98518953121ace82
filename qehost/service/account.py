"""From what a program gives to the service to the task of its connection process."""

from __future__ import annotations

import os

from msgspec.structs import replace

from qehost.control import ConnectionTask
from qehost.errors import ListenKeyError
from qehost.logs import LogSettings, secrets_of
from qehost.rest.credentials import credentials_of
from qehost.secret import Secret
from qehost.settings import AccountSettings, ConnectionSettings, HostSettings, JournalSettings

__all__ = ["task_of"]


def task_of(
    client: object,
    listen_key: str,
    *,
    account: str,
    base_url: str,
    version: str,
    proxy: str,
    ca_file: str,
    connection: ConnectionSettings,
    queue_bytes: int,
    state_dir: str | os.PathLike[str] | None,
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
        listen_key=Secret(listen_key) if listen_key else None,
        proxy=Secret(proxy) if proxy else given.proxy,
        ca_file=ca_file,
    )
    if given.rest_url:
        settings = replace(settings, rest_url=given.rest_url)
    return ConnectionTask(
        account=account,
        settings=settings,
        connection=connection,
        journal=JournalSettings(),
        host=HostSettings(queue_bytes=queue_bytes),
        state_dir="" if state_dir is None else os.path.abspath(os.path.expanduser(state_dir)),
        log=LogSettings("info", "text", secrets_of({account: settings})),
    )
