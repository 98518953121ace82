"""Every error that qehost raises or hands to `on_error`, in one tree.

::

    Error
    ├── WebsocketClientError          the stream (also what the documented API raises)
    │   ├── DecodeError               one message could not be read; holds its text
    │   ├── VenueError                the venue sent a message of type `error`
    │   ├── ConnectError              no connection: address, DNS, TCP, TLS, proxy, time-out
    │   │   └── HandshakeError        the venue answered, and refused
    │   ├── ConnectionLost            the connection ended
    │   │   └── ProtocolViolation     because the venue broke the WebSocket protocol
    │   ├── ListenKeyError            no listen key, or one that the venue refused
    │   └── GapError                  messages may have been missed and could not be read again
    ├── RestError                     REST
    │   ├── ClientError               HTTP 4xx without the venue's envelope
    │   ├── ServerError               HTTP 5xx, or an answer that is not JSON
    │   ├── APIError                  the venue's envelope with a code other than 200
    │   ├── TransportError            no answer
    │   └── IncompleteList            a list that could not be read to its end
    ├── ParameterRequiredError, ParameterValueError, ParameterTypeError, ParameterArgumentError
    ├── ConfigError                   the settings; holds every mistake that was found
    ├── PluginError                   a plugin that cannot be used
    │   ├── UnknownPlugin             `-p` names one that exists nowhere
    │   └── HookError                 a plugin's hook raised
    ├── Retry                         raised by a plugin: not now, call me again
    ├── EventsRefused                 raised by a plugin: of this batch, only these can't be taken
    ├── DeadLettersDropped            failures of a plugin for which there was no room
    ├── DumpError                     what should be the dump of a Blotter can't be read
    ├── JournalError                  the journal can't be written or read
    │   └── StateFolderBusy           another qehost works in the same state folder
    └── ProcessDied                   a child process ended on its own

The names in the documented API keep their documented constructors.  An error holds what it is about
as attributes and builds its own text, which says what the reader can do.  None contains a secret.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

__all__ = [
    "APIError",
    "ClientError",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "DeadLettersDropped",
    "DecodeError",
    "DumpError",
    "Error",
    "EventsRefused",
    "GapError",
    "HandshakeError",
    "HookError",
    "IncompleteList",
    "JournalError",
    "ListenKeyError",
    "NewerFormat",
    "ParameterArgumentError",
    "ParameterRequiredError",
    "ParameterTypeError",
    "ParameterValueError",
    "PluginError",
    "ProcessDied",
    "ProtocolViolation",
    "RestError",
    "Retry",
    "ServerError",
    "StateFolderBusy",
    "TransportError",
    "UnknownPlugin",
    "VenueError",
    "WebsocketClientError",
    "from_problem",
]


class Error(Exception):
    """The root of the tree.  All errors can be pickled and copied with their attributes."""

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an exception is rebuilt by calling its class with `args`, which our
        # constructors don't take; a process pool whose worker raises such an exception waits for
        # ever.
        return _build, (type(self), self.args, self.__dict__)


def _build(kind: type[Error], args: tuple[Any, ...], held: dict[str, Any]) -> Error:
    error = kind.__new__(kind, *args)
    error.__dict__.update(held)
    return error


# --- the stream ------------------------------------------------------------------------------


class WebsocketClientError(Error):
    """Something about the stream.  `error_message` is the text."""

    code: ClassVar[str] = "stream"

    def __init__(self, error_message: str) -> None:
        super().__init__(error_message)
        self.error_message = error_message

    def __str__(self) -> str:
        return self.error_message

    def facts(self) -> dict[str, str]:
        """The attributes besides the text, for sending the error to another process."""
        return {}


class DecodeError(WebsocketClientError):
    """One message could not be read.  `raw` is its text, `path` the place in it: `$.data.price`."""

    code = "decode"

    def __init__(self, error_message: str, raw: str = "", path: str = "") -> None:
        super().__init__(error_message)
        self.raw = raw
        self.path = path

    def facts(self) -> dict[str, str]:
        # The event has the raw text already.
        return {"path": self.path}


class VenueError(WebsocketClientError):
    """The venue sent a message of type `error`; `error_message` is its text."""

    code = "venue"


class ConnectError(WebsocketClientError):
    """No connection could be opened.  `address` is the URL without its query."""

    code = "connect"

    def __init__(self, error_message: str, address: str = "") -> None:
        super().__init__(error_message)
        self.address = address

    def facts(self) -> dict[str, str]:
        return {"address": self.address}


class HandshakeError(ConnectError):
    """The venue answered the handshake with something other than a WebSocket.

    `status` is the HTTP status, `retry_after` the seconds that the venue asked to wait, if it did.
    """

    code = "handshake"

    def __init__(
        self,
        error_message: str,
        address: str = "",
        status: int = 0,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(error_message, address)
        self.status = status
        self.retry_after = retry_after

    def facts(self) -> dict[str, str]:
        wait = {} if self.retry_after is None else {"retry_after": str(self.retry_after)}
        return {"address": self.address, "status": str(self.status), **wait}


class ConnectionLost(WebsocketClientError):
    """The connection ended.  `close_code` is WebSocket's, 1006 without a close frame."""

    code = "lost"

    def __init__(self, error_message: str, close_code: int = 1006) -> None:
        super().__init__(error_message)
        self.close_code = close_code

    def facts(self) -> dict[str, str]:
        return {"close_code": str(self.close_code)}


class ProtocolViolation(ConnectionLost):
    """The venue sent what RFC 6455 forbids; `close_code` is the code of our close frame."""


class ListenKeyError(WebsocketClientError):
    """There is no listen key, or the venue refused it."""

    code = "listen_key"


class GapError(WebsocketClientError):
    """Messages of a window may have been missed and could not be read again over REST."""

    code = "gap"


# --- REST ------------------------------------------------------------------------------------


class RestError(Error):
    """A REST call failed.

    `status_code` is the HTTP status, 0 where there was no answer; where HTTP said 200 it is the
    envelope's code, if that is an HTTP status.  `retry_after` is the number of seconds that the
    venue asked to wait, if it did, up to an hour.
    """

    status_code: int = 0
    retry_after: float | None = None

    @property
    def outcome_unknown(self) -> bool:
        """Whether an action may have been carried out all the same: there was no answer, or one
        that does not say.  Ask before it is done again (`API.master_order`)."""
        unsaid = isinstance(self, TransportError | ServerError)
        return unsaid or self.status_code == 408 or self.status_code >= 500


class ClientError(RestError):
    """HTTP 4xx whose body is not the venue's envelope."""

    def __init__(
        self,
        status_code: int,
        error_code: Any,
        error_message: Any,
        header: Any,
        error_data: Any = None,
    ) -> None:
        super().__init__(status_code, error_code, error_message)
        self.status_code = status_code
        self.error_code = error_code
        self.error_message = error_message
        self.header = header
        self.error_data = error_data

    def __str__(self) -> str:
        return f"HTTP {self.status_code}: {self.error_message}"


class ServerError(RestError):
    """HTTP 5xx, or an answer that can't be read."""

    def __init__(self, status_code: int, message: Any) -> None:
        super().__init__(status_code, message)
        self.status_code = status_code
        self.message = message

    def __str__(self) -> str:
        return f"HTTP {self.status_code}: {self.message}"


class APIError(RestError):
    """The venue's envelope with a `code` other than 200."""

    def __init__(
        self,
        code: Any,
        reason: Any,
        message: Any,
        trace_id: Any = None,
        server_time: Any = None,
    ) -> None:
        super().__init__(code, reason, message)
        self.code = code
        self.reason = reason
        self.message = message
        self.trace_id = trace_id
        self.server_time = server_time

    def __str__(self) -> str:
        trace = f" (trace id {self.trace_id})" if self.trace_id else ""
        return f"the venue answered {self.code} {self.reason}: {self.message}{trace}"


class TransportError(RestError):
    """No answer from REST: DNS, TCP, TLS, proxy or a time-out.  `address` has no query."""

    def __init__(self, error_message: str, address: str = "") -> None:
        super().__init__(error_message)
        self.error_message = error_message
        self.address = address


class IncompleteList(RestError):
    """A list that could not be read to its end; what was read was given before.

    `too_long`: it has more pages than are allowed.  Otherwise the venue counts more entries than it
    gave.
    """

    def __init__(self, error_message: str, too_long: bool = False) -> None:
        super().__init__(error_message, too_long)
        self.error_message = error_message
        self.too_long = too_long

    def __str__(self) -> str:
        return self.error_message


class ParameterRequiredError(Error):
    """`params`: the names of the parameters that are missing."""

    def __init__(self, params: list[str]) -> None:
        super().__init__(params)
        self.params = params

    def __str__(self) -> str:
        return f"{', '.join(self.params)}: a value is required"


class ParameterValueError(Error):
    """`params`: the values that are not allowed."""

    def __init__(self, params: list[Any]) -> None:
        super().__init__(params)
        self.params = params

    def __str__(self) -> str:
        return f"not an allowed value: {', '.join(map(str, self.params))}"


class ParameterTypeError(Error):
    """`params`: the parameter's name and the type it must have."""

    def __init__(self, params: list[Any]) -> None:
        super().__init__(params)
        self.params = params

    def __str__(self) -> str:
        return f"{self.params[0]} must be of type {self.params[1]}"


class ParameterArgumentError(Error, ValueError):
    """An argument, or a combination of several, that is invalid.

    Also a ValueError, which the venue's own client raises here.
    """

    def __init__(self, error_message: str) -> None:
        super().__init__(error_message)
        self.error_message = error_message


# --- settings, plugins, processes ---------------------------------------------------------------


class ConfigError(Error):
    """The settings can't be used.  `mistakes` has every mistake, each a line with its place."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__(mistakes)
        self.mistakes = mistakes

    def __str__(self) -> str:
        return "\n".join(self.mistakes)


class PluginError(Error):
    """A plugin that can't be used, with its distribution (`""` for a local module)."""

    def __init__(self, plugin: str, text: str, distribution: str = "") -> None:
        super().__init__(plugin, text)
        self.plugin = plugin
        self.text = text
        self.distribution = distribution

    def __str__(self) -> str:
        source = f" (from {self.distribution})" if self.distribution else ""
        return f"plugin {self.plugin}{source}: {self.text}"


class UnknownPlugin(PluginError):
    """A value of `-p` that matches no plugin: a wrong command line."""


class HookError(PluginError):
    """A plugin's hook raised; `__cause__` is what it raised, `seq` the event's number (0: none)."""

    def __init__(self, plugin: str, hook: str, text: str, seq: int = 0) -> None:
        super().__init__(plugin, text)
        self.hook = hook
        self.seq = seq

    def __str__(self) -> str:
        event = f" at event {self.seq}" if self.seq else ""
        return f"plugin {self.plugin}: {self.hook} raised{event}: {self.text}"


class Retry(Error):
    """Raised by a plugin in a hook that can't do its work now: its database is down, say.

    The plugin's position stays where it is, and no hook of it is called until it is tried again.
    Then the event at which it raised comes again, to the hooks that had not returned, and what came
    meanwhile comes after it, from the journal.  Nothing becomes a dead letter, and the other
    plugins go on.

    `after` is in seconds, from 0.05 to a day; None: 1, and twice as long at each further try, up
    to 60.  `reason` stands in the log and in `qehost status`; without it, what this was raised from
    does.
    """

    def __init__(self, after: float | None = None, reason: str = "") -> None:
        super().__init__(after, reason)
        self.after = after
        self.reason = reason

    def __str__(self) -> str:
        return self.reason or "try again later"


class EventsRefused(Error):
    """Raised by a plugin in `on_batch`: these events can't be taken, the others of the batch are.

    `errors` is by `event.seq`.  Each event in it becomes a dead letter with its own error; any
    other exception makes dead letters of the whole batch.
    """

    def __init__(self, errors: Mapping[int, BaseException]) -> None:
        super().__init__(errors)
        self.errors = dict(errors)

    def __str__(self) -> str:
        each = (f"{seq}: {type(error).__name__}: {error}" for seq, error in self.errors.items())
        return "events that can't be taken: " + "; ".join(each)


class DeadLettersDropped(Error):
    """A plugin has as many dead letters as are kept: `count` more failures were only counted."""

    def __init__(self, plugin: str, count: int) -> None:
        super().__init__(plugin, count)
        self.plugin = plugin
        self.count = count

    def __str__(self) -> str:
        events = "event was" if self.count == 1 else "events were"
        return (
            f"plugin {self.plugin} has so many dead letters that there is no room for more: "
            f"{self.count} failed {events} not kept (`qehost journal dead-letters`)"
        )


class DumpError(Error):
    """What was given to `Blotter.load` can't be read: it is damaged, or of another version.

    `text` says which.  The blotter is as it was.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return (
            f"the dump of the blotter can't be read: {self.text}.  Begin with an empty one, and "
            "read the journal again"
        )


class JournalError(Error):
    """The journal can't be written or read.  `path` is its file."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(path, text)
        self.path = path
        self.text = text

    def __str__(self) -> str:
        return f"journal {self.path}: {self.text}"


class NewerFormat(JournalError):
    """A newer qehost wrote the file."""


class StateFolderBusy(JournalError):
    """Another process uses this state folder; `pid` is its process id, 0 if it is not known."""

    def __init__(self, path: str, pid: int) -> None:
        super().__init__(path, f"in use by the qehost with process id {pid or 'unknown'}")
        self.pid = pid

    def __str__(self) -> str:
        by = f"process {self.pid}" if self.pid else "another process"
        return (
            f"the state folder {self.path} is in use by {by}: "
            "stop that qehost first, or give this one a folder of its own with --state-dir"
        )


class ProcessDied(Error):
    """A child process ended on its own.  `exit_code` as multiprocessing has it: −N for signal N."""

    def __init__(self, process: str, exit_code: int) -> None:
        super().__init__(process, exit_code)
        self.process = process
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"the {self.process} process ended: {self.how()}"

    def how(self) -> str:
        """`exit code 1`, or `signal SIGKILL`."""
        if self.exit_code >= 0:
            return f"exit code {self.exit_code}"
        try:
            return f"signal {signal.Signals(-self.exit_code).name}"
        except ValueError:
            return f"signal {-self.exit_code}"


class _Problem(Protocol):
    """The parts of `qehost.messages.Problem` that are used here, without importing it."""

    @property
    def code(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, str]: ...


def from_problem(problem: _Problem, raw: str = "") -> WebsocketClientError:
    """The exception that `on_error` gets.  `raw` is the text of the event, if it has one."""
    text, facts = problem.text, problem.facts
    match problem.code:
        case "decode":
            return DecodeError(text, raw, facts.get("path", ""))
        case "venue":
            return VenueError(text)
        case "connect":
            return ConnectError(text, facts.get("address", ""))
        case "handshake":
            wait = facts.get("retry_after")
            return HandshakeError(
                text,
                facts.get("address", ""),
                int(facts.get("status", "0")),
                None if wait is None else float(wait),
            )
        case "lost":
            return ConnectionLost(text, int(facts.get("close_code", "1006")))
        case "listen_key":
            return ListenKeyError(text)
        case "gap":
            return GapError(text)
        case _:
            return WebsocketClientError(text)
