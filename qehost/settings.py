"""The settings: every name, type, bound, unit, default and meaning.  `config.py` fills them.

The descriptions are what `qehost config create` prints beside each setting, and what stands in the
table of docs/operating.md.  `Meta(title=…)` says in words what is taken, where the type alone does
not; `extra` marks what is a path: a relative one counts from the settings' file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from qehost.secret import Secret

__all__ = [
    "AccountSettings",
    "ConnectionSettings",
    "HostSettings",
    "JournalSettings",
    "LogSection",
    "PluginSettings",
    "Settings",
]

DAY = 86_400

Seconds = Annotated[float, Meta(gt=0, le=DAY)]
SecondsOrNever = Annotated[float, Meta(ge=0)]
File = Annotated[str, Meta(extra={"path": True})]


class AccountSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account of the venue: one connection process.  The name is yours; there may be several.

    QEHOST_API_KEY, QEHOST_API_SECRET and QEHOST_LISTEN_KEY belong to the only account.
    """

    ws_url: Annotated[str, Meta(description="Where the stream is, without the path.")] = (
        "wss://test.quantumexecute.com"
    )
    rest_url: Annotated[
        str, Meta(description="Where REST is; a `/strategy-api` prefix belongs here.")
    ] = "https://testapi.quantumexecute.com"
    protocol: Annotated[
        Literal["v2", "v1"], Meta(description='"v2", or "v1" for the legacy stream.')
    ] = "v2"
    api_key: Annotated[
        Secret | None,
        Meta(
            description='{ env = "NAME" } or { file = "PATH" }; a literal works, with a warning.',
            examples=[{"env": "QEHOST_API_KEY"}],
        ),
    ] = None
    api_secret: Annotated[
        Secret | None,
        Meta(description="As api_key.", examples=[{"env": "QEHOST_API_SECRET"}]),
    ] = None
    private_key: Annotated[
        Secret | None,
        Meta(description="RSA or Ed25519 key (PEM) in place of api_secret; needs qehost[keys]."),
    ] = None
    private_key_pass: Annotated[
        Secret | None, Meta(description="The private key's passphrase.")
    ] = None
    listen_key: Annotated[
        Secret | None,
        Meta(
            description="A listen key made elsewhere; it can't be renewed. Leave it out otherwise."
        ),
    ] = None
    proxy: Annotated[
        Secret,
        Meta(
            title='a URL, "none" or ""',
            description='http://…, socks5://…; "" takes the environment\'s, "none" takes no proxy. '
            'One with a password belongs in { env = "NAME" } or { file = "PATH" }.',
        ),
    ] = Secret("")
    ca_file: Annotated[
        File, Meta(description="Certificates (PEM) to trust in place of the system's.")
    ] = ""
    client_cert: Annotated[File, Meta(description="Client certificate (PEM).")] = ""
    client_key: Annotated[File, Meta(description="Its key (PEM), if not in the same file.")] = ""


class ConnectionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How every connection is opened, watched and opened again."""

    reconnect_delay: Annotated[
        Seconds, Meta(description="Seconds before the first new try; doubles, with full jitter.")
    ] = 5.0
    reconnect_max_delay: Annotated[Seconds, Meta(description="Where the doubling ends.")] = 60.0
    connect_timeout: Annotated[
        Seconds, Meta(description="Seconds for DNS, TCP, proxy, TLS and handshake together.")
    ] = 20.0
    ping_interval: Annotated[Seconds, Meta(description="Seconds between two pings.")] = 30.0
    pong_timeout: Annotated[
        Seconds, Meta(description="Seconds for any answer before the peer counts as dead.")
    ] = 10.0
    heartbeat: Annotated[
        Literal["frame", "text"], Meta(description='"frame": WebSocket pings; "text": a text ping.')
    ] = "frame"
    catch_up_interval: Annotated[
        SecondsOrNever,
        Meta(le=DAY, description="Seconds between comparisons with REST; 0: only after a gap."),
    ] = 0.0
    mute_after: Annotated[
        SecondsOrNever,
        Meta(
            le=DAY,
            description="Seconds without a message after which REST is asked, and the connection "
            "made anew if REST knows more; 0: never.",
        ),
    ] = 0.0
    give_up_after: Annotated[
        SecondsOrNever,
        Meta(description="Seconds without a connection of any account before ending; 0: never."),
    ] = 0.0
    max_message: Annotated[
        int, Meta(ge=65_536, description="Bytes; a longer message ends the connection.")
    ] = 16 * 2**20


class JournalSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The log of everything received."""

    durability: Annotated[
        Literal["process", "power"],
        Meta(description='"process": safe when processes die; "power": synced before hand-over.'),
    ] = "process"
    keep: Annotated[
        str,
        Meta(
            pattern=r"^\d+(\.\d+)?[smhd]$",
            title='a number with s, m, h or d, such as "12h"',
            description="How long events are kept.",
        ),
    ] = "7d"
    keep_bytes: Annotated[
        int,
        Meta(
            ge=0,
            description="Bytes of each journal past which its oldest events are deleted, delivered "
            "or not; 0: as many as there are.",
        ),
    ] = 0


class HostSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The processes that run the plugins."""

    drain_timeout: Annotated[
        Seconds, Meta(description="Seconds for everything that happens at the end.")
    ] = 10.0
    slow_call: Annotated[
        Seconds, Meta(description="A hook call that takes longer (seconds) is named in the log.")
    ] = 0.25
    hang_timeout: Annotated[
        SecondsOrNever,
        Meta(
            le=DAY,
            description="A host process in which one hook call takes so long (seconds), or that "
            "stands still, is killed and started again; 0: never.",
        ),
    ] = 300.0
    queue_bytes: Annotated[
        int,
        Meta(
            ge=1_048_576,
            description="Bytes that each queue holds at most; the rest is read from the journal.",
        ),
    ] = 8 * 2**20


class LogSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is written to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        Meta(
            title='"debug", "info", "warning", "error" or "critical"',
            description="From which level on.",
        ),
    ] = "info"
    format: Annotated[
        Literal["text", "json"], Meta(description='"json": one object a line, for collectors.')
    ] = "text"


class PluginSettings(msgspec.Struct, frozen=True):
    """What the host knows of a plugin; everything else in its section is the plugin's own."""

    enabled: Annotated[bool, Meta(description="false: the plugin is not even imported.")] = True
    process: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_-]{1,32}$",
            title="a name of 1 to 32 letters, digits, - and _",
            description="The host process it runs in; plugins of one name share one.",
        ),
    ] = "main"
    order: Annotated[int, Meta(description="Plugins are called in this order, then by name.")] = 0
    own: dict[str, Any] = {}
    section: str = ""
    """How the section is named, if it is not written as the plugin's name is."""
    places: dict[str, str] = {}
    """By path (`plugins.NAME.key`): where each setting stands, for the texts of mistakes."""
    folder: str = ""
    """Where a relative path in the section counts from."""


class Settings(msgspec.Struct, frozen=True):
    """Everything."""

    state_dir: Annotated[
        str,
        Meta(description="Where journal, cursors and the plugins' own files are kept."),
    ]
    accounts: dict[str, AccountSettings]
    connection: ConnectionSettings = ConnectionSettings()
    journal: JournalSettings = JournalSettings()
    host: HostSettings = HostSettings()
    log: LogSection = LogSection()
    plugins: dict[str, PluginSettings] = {}
