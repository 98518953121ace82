"""`WebSocketService`: the documented way to receive the stream inside a program."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from qehost.config.settings import ConnectionSettings, HostSettings
from qehost.errors import ParameterArgumentError, ParameterValueError
from qehost.messages import AnyEvent, EventKind
from qehost.secret import Secret, hiding_arguments
from qehost.service.account import check_address, check_proxy, path_of, task_of
from qehost.service.async_bridge import AsyncBridge, in_a_thread
from qehost.service.delivery_thread import EventReceiver
from qehost.service.handler_calls import HandlerCalls
from qehost.service.handlers import WebSocketEventHandlers, check
from qehost.service.logger import SafeLogger
from qehost.service.position import handled_in
from qehost.service.session import Session
from qehost.storage.journal import JournalReader
from qehost.storage.journal.history import JournalHistory, Moment, range_of
from qehost.storage.state_folder import StateFolder

if TYPE_CHECKING:
    # It takes the plugins' library, which a program does not need.
    from qehost.hookspecs import EventHistory

__all__ = ["WebSocketService"]

LONGEST = 86_400.0
"""Seconds; the bound of every time in the settings."""


class WebSocketService:
    """Receives the stream and calls a program's handlers.

    The connection lives in a process of its own: however long a handler takes, heartbeats are
    answered, and a lost connection is opened again.  Handlers are called one at a time, in order,
    in one thread that belongs to the service.  Every method may be called from any thread and from
    inside a handler.

    Args:
        client: an `API`, or any object with its attributes `api_key`, `api_secret` (or
            `private_key`) and `base_url`.  With credentials, listen keys are made and renewed, and
            what was missed is read over REST.  None: there are none.
        base_url: where the stream is, without the path.
        version: `"v2"`, or `"v1"` for the legacy stream.
        state_dir: a folder for a journal, which is this service's alone.  Every event is in the
            journal before it is delivered; what a program had not handled when it ended comes at
            its next start, and what the handlers are too slow for waits there.  None: no journal.
        account: the name of the account, in events and in the state folder.
        proxy: `http://…` or `socks5://…`; `""` takes the client's or the environment's, `"none"`
            takes none.
        ca_file: certificates (PEM) to trust in place of the system's.
        heartbeat: `"frame"` for WebSocket pings, `"text"` for a text `ping`.
        reconnect_max_delay: seconds; where the doubling of the reconnect delay ends.
        catch_up_interval: seconds between two comparisons with REST; 0: only after a gap.
        mute_after: seconds without a message after which REST is asked whether the stream is mute;
            0: never.
        queue_bytes: bytes of events that wait for handlers that are too slow.  Without a journal
            what comes on top of them is lost, and `on_error` gets a `GapError` with the number.
        replace_listen_key: True: when a key that was given to `connect` has ended, new ones are
            made with the credentials, which ends the streams of all other programs that use the
            user's key.

    Raises ParameterArgumentError or ParameterValueError for arguments that could never work.
    """

    # Also of one whose constructor raised: a traceback may show it.
    _account = ""
    _session: Session | None = None

    @hiding_arguments
    def __init__(
        self,
        client: Any,
        base_url: str = "wss://test.quantumexecute.com",
        version: str = "v2",
        *,
        state_dir: str | os.PathLike[str] | None = None,
        account: str = "main",
        proxy: str = "",
        ca_file: str | os.PathLike[str] = "",
        heartbeat: Literal["frame", "text"] = "frame",
        reconnect_max_delay: float = ConnectionSettings().reconnect_max_delay,
        catch_up_interval: float = 0.0,
        mute_after: float = ConnectionSettings().mute_after,
        queue_bytes: int = HostSettings().queue_bytes,
        replace_listen_key: bool = False,
    ) -> None:
        if version not in ("v1", "v2"):
            raise ParameterValueError([version])
        if heartbeat not in ("frame", "text"):
            raise ParameterValueError([heartbeat])
        check_address(base_url)
        check_proxy(proxy)
        if not isinstance(account, str) or not account:
            raise ParameterArgumentError(f"account must be a name, not {account!r}")
        if isinstance(queue_bytes, bool) or not isinstance(queue_bytes, int) or queue_bytes < 1:
            raise ParameterArgumentError(
                f"queue_bytes must be a number of bytes, not {queue_bytes!r}"
            )
        self.client = client
        self.base_url = base_url
        self.version = version
        self.handlers = WebSocketEventHandlers()
        self._account = account
        self._proxy = proxy
        self._ca_file = path_of("ca_file", ca_file)
        self._queue_bytes = queue_bytes
        self._replace_listen_key = bool(replace_listen_key)
        self._state_dir = None if state_dir is None else path_of("state_dir", state_dir)
        if self._state_dir == "":
            raise ParameterArgumentError(
                'state_dir must be a folder: "." for this one, None for no journal'
            )
        self._connection = ConnectionSettings(
            ping_interval=1.0,  # as the documented client has it
            heartbeat=heartbeat,
            reconnect_max_delay=_seconds("reconnect_max_delay", reconnect_max_delay),
            catch_up_interval=_seconds("catch_up_interval", catch_up_interval, least=0.0),
            mute_after=_seconds("mute_after", mute_after, least=0.0),
        )
        self._logger = SafeLogger(logging.getLogger("qehost.service"))
        self._lock = threading.RLock()
        self._parting = threading.local()

    def __repr__(self) -> str:
        state = "connected" if self.is_connected() else "not connected"
        return f"<WebSocketService {self._account}: {state}>"

    # --- before connecting ------------------------------------------------------------------

    def set_handlers(self, handlers: WebSocketEventHandlers) -> WebSocketService:
        """Use these handlers from the next event on.

        Raises ParameterArgumentError for one that can't be called, or that is an async function.
        """
        check(handlers)
        self.handlers = handlers
        return self

    def set_reconnect_delay(self, delay: float) -> WebSocketService:
        """Seconds from an end of the stream, or a try that failed, to the next try: always so many,
        unless the venue asks for a longer wait (429, 418, `Retry-After`).

        Where it is not called, the first try comes at once, and further ones after two seconds,
        which double up to `reconnect_max_delay`, with half of each left to chance.  This and the
        next two count from the next `connect` on.
        """
        self._set(reconnect_delay=_seconds("delay", delay), reconnect_pace="fixed")
        return self

    def set_ping_interval(self, interval: float) -> WebSocketService:
        """Seconds between two heartbeats."""
        self._set(ping_interval=_seconds("interval", interval))
        return self

    def set_pong_timeout(self, timeout: float) -> WebSocketService:
        """Seconds for an answer to a heartbeat; whatever comes in is one."""
        self._set(pong_timeout=_seconds("timeout", timeout))
        return self

    def set_logger(self, logger: logging.Logger) -> WebSocketService:
        """Log here in place of `qehost.service`, also what the connection process has to say."""
        self._logger = SafeLogger(logger)
        return self

    def _set(self, **values: float | str) -> None:
        self._connection = replace(self._connection, **values)

    # --- the connection ---------------------------------------------------------------------

    def connect(self, listen_key: str | None = None) -> None:
        """Open the stream and keep it open, until `close`.  Returns at once.

        Without a listen key one is made, and renewed before its end.  A key that is given is used
        as it is; when it ends, after a day at most, `on_error` is told, and no other one is made in
        its place, unless the service was made with `replace_listen_key`.  While the service
        runs, the same key or none changes nothing, and another key takes the place of the first.

        Raises:
            ListenKeyError: there is neither a key nor the credentials to make one.
            StateFolderBusy: another program works in `state_dir`.
            JournalError: `state_dir` can't be used.
        """
        if hasattr(self._parting, "now"):
            # Who connects whenever the stream has ended could otherwise never close it.
            self._log().info("closed by this program: on_disconnected does not connect it again")
            return
        # What is raised from here on leads to this frame.
        key, listen_key = Secret(listen_key or ""), None
        with self._lock:
            session = self._session
            if session is None or not session.alive:
                session = self._new_session(key)
                self._begin(
                    session,
                    HandlerCalls(lambda: self.handlers, self._log, session.stopped, self._parting),
                )
                return
            known = session.task.settings.listen_key
            if key and known != key:
                session.replace(self._task(key))

    def is_connected(self) -> bool:
        """Whether the stream is open at this moment."""
        session = self._session
        return session is not None and session.connected

    def close(self) -> None:
        """Close the stream; its process is gone when this returns.

        `on_disconnected` is the last call, if the stream was open.  A handler that is running is
        waited for, up to five seconds; what comes after it in the queue is not delivered any more.
        May be called again, and `connect` after it; but a `connect` in that last `on_disconnected`
        does nothing.
        """
        session = self._session
        if session is not None:
            session.close()

    async def events(self, listen_key: str | None = None) -> AsyncGenerator[AnyEvent, None]:
        """For `async for`: connects as `connect` does, and gives every event in its order.

        The events are those that plugins get: `event.kind`, `event.message` and the rest, with
        connections, disconnections and errors among them.  Handlers are not called.  The next event
        comes when the loop asks for it, so a slow body is waited for, within `queue_bytes`.  The
        stream is closed when the iteration ends: by `close`, by a cancellation, or by leaving the
        loop and `aclose` (which `contextlib.aclosing` sees to).  With a `state_dir` an event counts
        as handled when the loop asks for the next one.

        Raises what `connect` raises, and ParameterArgumentError if the service runs already.
        """
        key, listen_key = Secret(listen_key or ""), None
        with self._lock:
            if self._session is not None and self._session.alive:
                raise ParameterArgumentError(
                    "the service is connected already: call events() in place of connect()"
                )
            session = self._new_session(key)
            bridge = AsyncBridge()
            self._begin(session, bridge)
        try:
            async for event in bridge.events():
                yield event
        finally:
            bridge.stop()
            await in_a_thread(session.close)

    # --- the past ---------------------------------------------------------------------------

    def history(
        self,
        *,
        after_seq: int | None = None,
        before_seq: int | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        kinds: Iterable[EventKind] | None = None,
    ) -> EventHistory:
        """All events of the journal in `state_dir` up to the last one that this program has
        handled: what comes after it comes to the handlers.

        As `context.history` of a plugin, whose docstring says what the arguments mean; before
        `connect`, too, and from any thread.

        Raises ParameterArgumentError without a `state_dir`, or for a selection that can't be one;
        JournalError where the state folder can't be read.
        """
        folder = self._folder("history")
        session = self._session
        position = session.position if session is not None and session.alive else None
        if position is None:
            position = handled_in(folder, self._account)
        try:
            wanted = range_of(
                after_seq=after_seq,
                before_seq=before_seq,
                since=since,
                until=until,
                limit=limit,
                newest_first=newest_first,
                kinds=kinds,
            )
        except ValueError as error:
            raise ParameterArgumentError(str(error)) from None
        return JournalHistory(folder.journal(self._account), wanted, position)

    def has(self, journal_id: str, seq: int) -> bool:
        """Whether the journal in `state_dir` has the event of this name.

        Raises ParameterArgumentError without a `state_dir`, JournalError where the journal can't be
        read.
        """
        with JournalReader(self._folder("has").journal(self._account)) as journal:
            return journal.has(journal_id, seq)

    def _folder(self, name: str) -> StateFolder:
        if self._state_dir is None:
            raise ParameterArgumentError(f"{name}() needs a journal: WebSocketService(state_dir=…)")
        return StateFolder(self._state_dir)

    def _new_session(self, listen_key: Secret) -> Session:
        return Session(self._task(listen_key), self._log, after=self._session)

    def _begin(self, session: Session, receiver: EventReceiver) -> None:
        session.start(receiver)
        # Not before: what could not be started would pass for a connection.
        self._session = session

    def _task(self, listen_key: Secret) -> Any:
        return task_of(
            self.client,
            listen_key,
            account=self._account,
            base_url=self.base_url,
            version=self.version,
            proxy=self._proxy,
            ca_file=self._ca_file,
            connection=self._connection,
            queue_bytes=self._queue_bytes,
            state_dir=self._state_dir,
            replace_listen_key=self._replace_listen_key,
        )

    def _log(self) -> SafeLogger:
        return self._logger


def _seconds(name: str, value: float, least: float | None = None) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        raise ParameterArgumentError(f"{name} must be a number of seconds, not {value!r}") from None
    if not (seconds > 0 or seconds == least) or seconds > LONGEST:
        raise ParameterArgumentError(f"{name} must be more than 0 and at most {LONGEST:g} seconds")
    return seconds
