"""The settings: every name, type, bound, unit, default and meaning.  `loading` fills them in.

`qehost config create` prints the descriptions beside the settings, and docs/reference/settings.md
has them in a table.  `Meta(title=…)` describes the allowed values where the type alone does not;
`extra` marks paths and modules' files, which are relative to the folder of the settings' file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from qehost.config.durations import DURATION_PATTERN
from qehost.messages import EventKind
from qehost.secret import Secret

__all__ = [
    "OF_PLUGINS",
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
    """One account of the venue, with a connection process.  Choose any name; there may be several.

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
    replace_listen_key: Annotated[
        bool,
        Meta(
            description="true: when that listen key has ended, new ones are made with the "
            "credentials. Each ends the streams of all other programs that use this user's key."
        ),
    ] = False
    insecure: Annotated[
        bool,
        Meta(
            description="true: credentials may go over ws:// or http:// to another machine, where "
            "everybody on the way can read them.",
        ),
    ] = False
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
    """How every connection is opened, monitored and reopened."""

    reconnect_delay: Annotated[
        Seconds,
        Meta(
            description="Seconds before the second try to connect; the first comes at once. It "
            "doubles with each failure, and half of it is left to chance."
        ),
    ] = 2.0
    reconnect_max_delay: Annotated[Seconds, Meta(description="Where the doubling ends.")] = 10.0
    reconnect_pace: Annotated[
        Literal["backoff", "fixed"],
        Meta(
            description='"backoff": as said above; "fixed": each try, also the first, comes '
            "reconnect_delay seconds after an end or a failure."
        ),
    ] = "backoff"
    connect_timeout: Annotated[
        Seconds, Meta(description="Seconds for DNS, TCP, proxy, TLS and handshake together.")
    ] = 10.0
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
            "reopened if REST has more; 0: never.",
        ),
    ] = 300.0
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
            pattern=rf"^{DURATION_PATTERN}$",
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
    keep_secrets: Annotated[
        bool,
        Meta(
            description="true: plugins, and what they start, have the variables of the environment "
            "that hold secrets or plugins' settings.",
        ),
    ] = False
    spin: Annotated[
        bool,
        Meta(
            description="true: host processes stay awake while they wait. A message that comes "
            "alone is handed over sooner; each of them takes a whole core.",
        ),
    ] = False


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
    """qehost's own settings of a plugin; all others in its section are the plugin's."""

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
    start: Annotated[
        str,
        Meta(
            pattern=rf"^(now|beginning|{DURATION_PATTERN})$",
            title='"now", "beginning" or a number with s, m, h or d, such as "2h"',
            description="Where a plugin that is new begins: with what comes from now on, with the "
            "first event that the journal has, or with those of the last hours.",
        ),
    ] = "now"
    module: Annotated[
        str,
        Meta(
            description="Where a plugin is that is not installed: MODULE or FILE.py, either with "
            ":ATTRIBUTE or not. A relative file counts from the settings' file.",
            extra={"module": True},
        ),
    ] = ""
    kinds: Annotated[
        list[EventKind],
        Meta(description="Only events of these kinds reach the plugin; none: of all."),
    ] = []
    symbols: Annotated[
        list[str],
        Meta(
            description="Only events of these symbols, and those without one, reach the plugin; "
            "none: of all. Upper and lower case are the same."
        ),
    ] = []
    max_events: Annotated[
        Annotated[int, Meta(ge=1, le=100_000)] | None,
        Meta(
            description="on_batch waits until there are so many events (1,000, if only max_wait is "
            "set). The other plugins don't wait."
        ),
    ] = None
    max_wait: Annotated[
        Annotated[float, Meta(gt=0, le=3_600)] | None,
        Meta(
            description="on_batch waits for so many seconds at most (5, if only max_events is set)."
        ),
    ] = None
    own: dict[str, Any] = {}
    section: str = ""
    """The name of the section, which may be written in another way than the plugin's."""
    places: dict[str, str] = {}
    """By path (`plugins.NAME.key`): the place of each setting, for error messages."""
    folder: str = ""
    """The folder that a relative path in the section is relative to."""
    variables: dict[str, Secret] = {}
    """The variables of the environment that the section refers to.  The plugin's process does not
    have them: what a process was started with can be read while it runs."""


OF_PLUGINS = tuple(
    name
    for name in PluginSettings.__struct_fields__
    if name not in ("own", "section", "places", "folder", "variables")
)
"""The settings of a plugin that are qehost's own."""


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
