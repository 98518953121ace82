"""The thread that calls the venue, one call at a time, and finds out what became of each."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from qehost import Context
from qehost.errors import Error, RestError

from qehost_guard.audit import Audit
from qehost_guard.intents import OPEN, How, Intent, Intents, State
from qehost_guard.judging import judge
from qehost_guard.switch import Switch, Tenure

__all__ = ["Actor", "Outlook"]

FRESH = 5.0
"""Seconds.  What waited longer is done only if its rule still holds."""
BUSY = (418, 429)
"""The HTTP statuses that say: not now, and nothing was done."""
ASKS = 5
"""So often a venue says that it does not know an order until it is believed."""
SLOWEST = 60.0
"""Seconds between two tries at most."""
_IDLE = 1.0
_AFTER_FAILURE = 5.0


class Outlook(Protocol):
    """What the hooks know of the orders.  Called by the actor's thread."""

    def is_level(self) -> bool:
        """Whether that is the present state, not one from before a stop or a delay."""

    def still(self, intent: Intent) -> bool:
        """Whether the intent's rule still holds for its order."""

    def was_paused(self, intent: Intent) -> bool:
        """Whether the stream has told the order as PAUSED since the first call."""


class Actor:
    """Takes each intent to its outcome, and each of its steps into the audit file.

    It begins with what an earlier process has left, and closes the table and the file when it ends.
    """

    def __init__(
        self, context: Context, outlook: Outlook, intents: Intents, audit: Audit, settle: float
    ) -> None:
        self._context = context
        self._outlook = outlook
        self._intents = intents
        self._audit = audit
        self._settle = settle
        self._switch = Switch(context.state_dir)
        self._tenure = Tenure(context.state_dir)
        self._due: dict[int, float] = {}  # on the monotonic clock, by the intent's id
        self._own: set[int] = set()  # made by this process
        self._failed: dict[int, int] = {}  # tries in a row that told nothing
        self._not_found: dict[int, int] = {}
        self._unclear_since: dict[int, float] = {}  # on the monotonic clock
        self._lock = threading.Lock()  # of `_due`
        self._wake = threading.Event()
        self._stopping = False
        self._is_failing = False
        self._thread = threading.Thread(target=self._work, name="qehost-guard", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, intent: Intent) -> None:
        """A new one, from a hook."""
        with self._lock:
            self._due[intent.id] = 0.0
            self._own.add(intent.id)
        self._wake.set()

    def stop(self, patience: float) -> None:
        """Begin no further call.  One that is going on ends with the context's client."""
        self._stopping = True
        self._wake.set()
        self._thread.join(patience)

    # --- the thread -------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while not self._tenure.take(_IDLE):
                if self._stopping:
                    return
                self._tell_failing("another guard still works in this folder")
            with self._switch.calling(0):
                pass  # its file is made by this user, whoever disarms first
            while not self._stopping:
                try:
                    self._audit.recover()
                    with self._lock:
                        for left in self._intents.unfinished():
                            self._due.setdefault(left.id, 0.0)
                    self._serve()
                except (Error, OSError) as error:
                    self._fail(error)
                except Exception as error:  # a thread that ends would be a guard that is gone
                    self._context.logger.exception("the guard goes on after a mistake of its own")
                    self._fail(error)
        finally:
            self._tenure.give_back()
            self._audit.close()
            self._intents.close()

    def _fail(self, error: Exception) -> None:
        self._tell_failing(f"nothing can be done: {error}")
        self._wake.wait(_IDLE)
        self._wake.clear()

    def _tell_failing(self, text: str) -> None:
        if text or self._is_failing:
            self._context.problem("intents", text)
        self._is_failing = bool(text)

    def _serve(self) -> None:
        """Raises Error or OSError where the table or the audit file can't be written."""
        while not self._stopping:
            now = time.monotonic()
            with self._lock:
                # Those that are due, what was never tried first.
                due = sorted((at, number) for number, at in self._due.items() if at <= now)
                later = min(self._due.values(), default=now + _IDLE)
            if not self._due:
                self._tell_failing("")
            if not due:
                self._wake.wait(min(max(later - now, 0.0), _IDLE))
                self._wake.clear()
                continue
            number = due[0][1]
            wait: float | None = _AFTER_FAILURE  # which holds up no other one
            try:
                wait = self._handle(self._intents.get(number))
                self._tell_failing("")
            finally:
                with self._lock:
                    if wait is None:
                        del self._due[number]
                        self._own.discard(number)
                    else:
                        self._due[number] = time.monotonic() + wait

    def _handle(self, intent: Intent) -> float | None:
        """One step or more; seconds until the next one, None at an outcome."""
        if intent.audited < intent.step:
            self._audit.write(intent)
        if intent.state not in OPEN:
            return None
        if intent.state == "intent":
            if self._is_fresh(intent):
                return self._call(intent)
            if not self._outlook.is_level():
                return _IDLE
            if not self._outlook.still(intent):
                return self._end(intent, "moot", _nothing(intent), "the rule no longer holds")
            return self._call(intent)
        if intent.state == "calling":  # a process has died in it, or its end could not be written
            intent = self._step(intent, "unknown", "the call was cut off", unclear=True)
        return self._ask(intent)

    def _call(self, intent: Intent) -> float | None:
        account, name = intent.account, intent.master_order_id
        try:
            api = self._context.api(account)
        except Error as error:
            return self._end(intent, "refused", "not sent", str(error))
        with self._switch.calling(intent.id) as is_allowed:
            if not is_allowed:
                return self._end(intent, "moot", _nothing(intent), "disarmed")
            if self._stopping:
                return 0.0
            intent = self._step(intent, "calling")
            self._unclear_since.pop(intent.id, None)
            try:
                if intent.action == "pause":
                    reply = api.pause_master_order_v2(name)
                else:
                    reply = api.cancel_master_order_v2(name, reason=intent.mark)
                answer, text = reply["success"], str(reply.get("message") or "")
                if answer in (True, "true"):
                    return self._end(intent, "done", "answered", text)
                if answer in (False, "false"):
                    intent = self._step(intent, "unknown", text or "not successful", "refused")
                else:
                    intent = self._step(intent, "unknown", f"answered {reply!r:.200}", unclear=True)
            except RestError as error:
                if error.outcome_unknown:
                    intent = self._step(intent, "unknown", str(error), unclear=True)
                    return min(error.retry_after or 0.0, SLOWEST)
                if error.status_code in BUSY:
                    # Nothing was done by this call; what an earlier one did is still to be asked.
                    state: State = "unknown" if intent.unclear else "intent"
                    self._step(intent, state, str(error))
                    return self._pause(intent, error.retry_after)
                intent = self._step(intent, "unknown", str(error), "refused")
            except (Error, AttributeError, LookupError, TypeError) as error:  # no answer to read
                intent = self._step(intent, "unknown", repr(error), unclear=True)
        return self._ask(intent)

    def _ask(self, intent: Intent) -> float | None:
        """What became of it, by the order itself."""
        try:
            order = self._context.api(intent.account).master_order(intent.master_order_id)
        except Error as error:
            return self._not_told(intent, error)
        self._failed.pop(intent.id, None)
        verdict = judge(intent, order, was_paused=self._outlook.was_paused(intent))
        if verdict.state is not None:
            return self._end(intent, verdict.state, verdict.how, verdict.text)
        # A call that got no answer may still be on its way to the venue.
        since = self._unclear_since.setdefault(intent.id, time.monotonic())
        left = since + self._settle - time.monotonic()
        if left > 0:
            return min(left, _IDLE)
        # Not before the stream has told what became of the order meanwhile.
        if order.status == "CANCEL" or not self._outlook.is_level():
            return _IDLE
        if not self._outlook.still(intent):
            text = f"the order is {order.status}, and the rule no longer holds"
            return self._end(intent, "moot", "read back", text)
        return self._call(intent)

    def _not_told(self, intent: Intent, error: Error) -> float | None:
        if getattr(error, "status_code", 0) == 404:
            count = self._not_found[intent.id] = self._not_found.get(intent.id, 0) + 1
            if count >= ASKS:
                return self._end(intent, "refused", "read back", f"no such order: {error}")
        else:
            self._not_found.pop(intent.id, None)
        what = f"what became of {_words(intent)} is not known: {error}"
        self._context.problem(f"intent-{intent.id}", what)
        return self._pause(intent, getattr(error, "retry_after", None))

    def _pause(self, intent: Intent, asked: float | None) -> float:
        """Seconds until the next try."""
        failed = self._failed[intent.id] = self._failed.get(intent.id, 0) + 1
        return min(max(asked or 0.0, 0.5 * 2.0 ** min(failed - 1, 10)), SLOWEST)

    def _is_fresh(self, intent: Intent) -> bool:
        if intent.id not in self._own or intent.attempts:
            return False
        return 0 <= time.time() - intent.made / 1000 < FRESH

    def _step(
        self, intent: Intent, state: State, text: str = "", how: How = "", *, unclear: bool = False
    ) -> Intent:
        changed = self._intents.step(intent, state, text, how, unclear=unclear)
        self._audit.write(changed)
        return changed

    def _end(self, intent: Intent, state: State, how: How, text: str) -> float | None:
        changed = self._step(intent, state, text, how)
        self._failed.pop(intent.id, None)
        self._not_found.pop(intent.id, None)
        self._unclear_since.pop(intent.id, None)
        self._context.problem(f"intent-{intent.id}", "")
        say = self._context.logger.error if state == "refused" else self._context.logger.warning
        outcome = ": ".join(each for each in (f"{state} ({how})", text) if each)
        say("%s: %s: %s", _words(changed), changed.reason, outcome)
        return None


def _nothing(intent: Intent) -> How:
    """How it is known that a call was not made: by what was sent before."""
    if intent.unclear:
        return "read back"
    return "busy" if intent.attempts else "not sent"


def _words(intent: Intent) -> str:
    return f"{intent.action} of {intent.master_order_id} ({intent.account}) by {intent.rule}"
