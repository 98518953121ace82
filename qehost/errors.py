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
    ├── JournalError                  the journal can't be written or read
    │   └── StateFolderBusy           another qehost works in the same state folder
    └── ProcessDied                   a child process ended on its own

The names in the documented API keep their documented constructors.  An error holds what it is about
as attributes and builds its own text, which says what the reader can do.  No secret enters one.
"""

from __future__ import annotations

import signal
from typing import Any, ClassVar

from qehost.messages import Problem

__all__ = [
    "APIError",
    "ClientError",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "DecodeError",
    "Error",
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
    "ServerError",
    "StateFolderBusy",
    "TransportError",
    "UnknownPlugin",
    "VenueError",
    "WebsocketClientError",
    "from_problem",
    "to_problem",
]


class Error(Exception):
    """The root of the tree.  All of them can be pickled and copied, with all that they hold."""

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is otherwise built anew from its `args`, which are not what its constructor
        # takes; a pool of processes whose worker raises that waits for ever.
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
        """What the error holds beside its text, for the way between the processes."""
        return {}


class DecodeError(WebsocketClientError):
    """One message could not be read.  `raw` is its text, `path` the place in it: `$.data.price`."""

    code = "decode"

    def __init__(self, error_message: str, raw: str = "", path: str = "") -> None:
        super().__init__(error_message)
        self.raw = raw
        self.path = path

    def facts(self) -> dict[str, str]:
        # The raw text is on the event already; it would only travel twice.
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
    """The venue answered the handshake with something else than a WebSocket.

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
    """The venue sent what RFC 6455 forbids; `close_code` is the code we close with."""


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
    """A list of which not everything came; what came was given before.

    `too_long`: it has more pages than it may have.  Otherwise the venue counts more than it gave.
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
    """An argument, or a combination of several, that makes no sense.

    A ValueError, too: that is what the venue's own client raises here.
    """

    def __init__(self, error_message: str) -> None:
        super().__init__(error_message)
        self.error_message = error_message


# --- settings, plugins, processes ---------------------------------------------------------------


class ConfigError(Error):
    """The settings can't be used.  `mistakes` holds every one, each a line that names its place."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__(mistakes)
        self.mistakes = mistakes

    def __str__(self) -> str:
        return "\n".join(self.mistakes)


class PluginError(Error):
    """A plugin that can't be used, with the distribution it came from (`""` for a local module)."""

    def __init__(self, plugin: str, text: str, distribution: str = "") -> None:
        super().__init__(plugin, text)
        self.plugin = plugin
        self.text = text
        self.distribution = distribution

    def __str__(self) -> str:
        source = f" (from {self.distribution})" if self.distribution else ""
        return f"plugin {self.plugin}{source}: {self.text}"


class UnknownPlugin(PluginError):
    """A value of `-p` that fits no plugin: a wrong command line."""


class HookError(PluginError):
    """A plugin's hook raised; `__cause__` is what it raised, `seq` the event's number (0: none)."""

    def __init__(self, plugin: str, hook: str, text: str, seq: int = 0) -> None:
        super().__init__(plugin, text)
        self.hook = hook
        self.seq = seq

    def __str__(self) -> str:
        event = f" at event {self.seq}" if self.seq else ""
        return f"plugin {self.plugin}: {self.hook} raised{event}: {self.text}"


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
    """Another process works in this state folder; `pid` is its process id, 0 if it is not known."""

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


# --- errors between processes -----------------------------------------------------------------


def to_problem(error: WebsocketClientError) -> Problem:
    """The error as it travels in an `ErrorEvent`."""
    return Problem(error.code, str(error), error.facts())


def from_problem(problem: Problem, raw: str = "") -> WebsocketClientError:
    """The exception that `on_error` receives.  `raw` is the event's text, if it had one."""
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
