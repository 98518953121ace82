"""The settings: every name, type, bound, default and meaning.  `config.py` fills them.

The descriptions are what `qehost config create` prints beside each setting.
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
    "PluginSettings",
    "Settings",
]

Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class AccountSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account of the venue: one connection process."""

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
        Meta(description='{ env = "NAME" } or { file = "PATH" }; a literal works, with a warning.'),
    ] = None
    api_secret: Annotated[Secret | None, Meta(description="As api_key.")] = None
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
        str,
        Meta(
            description='http://…, socks5://…; "" takes the environment\'s, "none" takes no proxy.'
        ),
    ] = ""
    ca_file: Annotated[
        str, Meta(description="Certificates (PEM) to trust in place of the system's.")
    ] = ""
    client_cert: Annotated[str, Meta(description="Client certificate (PEM).")] = ""
    client_key: Annotated[str, Meta(description="Its key (PEM), if not in the same file.")] = ""


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
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Seconds between comparisons with REST; 0: only after a gap.",
        ),
    ] = 0.0
    mute_after: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Seconds without a message after which REST is asked, and the connection "
            "made anew if REST knows more; 0: never.",
        ),
    ] = 0.0
    give_up_after: Annotated[
        float, Meta(ge=0, description="Seconds without a connection before ending; 0: never.")
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
        str, Meta(pattern=r"^\d+(\.\d+)?[smhd]$", description='How long events are kept: "7d".')
    ] = "7d"


class HostSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The processes that run the plugins."""

    drain_timeout: Annotated[
        Seconds, Meta(description="Seconds for everything that happens at the end.")
    ] = 10.0
    slow_call: Annotated[
        Seconds, Meta(description="A hook call that takes longer (seconds) is named in the log.")
    ] = 0.25
    queue_bytes: Annotated[
        int,
        Meta(
            ge=1_048_576,
            description="Bound of each queue; what does not fit is read from the journal.",
        ),
    ] = 8 * 2**20


class PluginSettings(msgspec.Struct, frozen=True):
    """What the host knows of a plugin; everything else in its section is the plugin's own."""

    enabled: Annotated[bool, Meta(description="false: the plugin is not even imported.")] = True
    process: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_-]{1,32}$",
            description="The host process it runs in; plugins of one name share one.",
        ),
    ] = "main"
    order: Annotated[int, Meta(description="Plugins are called in this order, then by name.")] = 0
    own: dict[str, Any] = {}


class Settings(msgspec.Struct, frozen=True):
    """Everything."""

    state_dir: str
    accounts: dict[str, AccountSettings]
    connection: ConnectionSettings = ConnectionSettings()
    journal: JournalSettings = JournalSettings()
    host: HostSettings = HostSettings()
    plugins: dict[str, PluginSettings] = {}
