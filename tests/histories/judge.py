"""What was told against what happened.

For each order there are three things: what happened (the story), what qehost was given to know of
it (`Heard`), and what it told.  It must tell what it was given to know, once and as it was; and
with credentials it must find out what happened.
"""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from qehost.messages import ErrorEvent, FillEvent, MasterOrderEvent, OrderEvent

from .listener import Heard, Told
from .story import Order, State, Story
from .venue import Seen, Venue

__all__ = ["Finding", "judge"]

CLOSE = Decimal("1E-9")
COARSE = ("rfc_s", "s", "none", "created")
"""Times of REST by which it can't be told whether it has a fill that V1 pushes."""


@dataclass(frozen=True)
class Finding:
    """A promise that did not hold."""

    kind: str
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.about}: {self.text}"


def judge(story: Story, venue: Venue, told: Sequence[Told], heard: Heard) -> list[Finding]:
    return list(_Judge(story, venue, told, heard).findings())


@dataclass
class _Shown:
    """An event about an order, and which of its states it shows."""

    told: Told
    seen: list[Seen]
    """More than one where the venue's text fits several states."""

    @property
    def is_fill(self) -> bool:
        return isinstance(self.told.event, FillEvent)

    @property
    def is_marked(self) -> bool:
        return self.told.event.redelivered

    @property
    def is_stale(self) -> bool:
        return bool(getattr(self.told.event, "stale", False))

    @property
    def is_baseline(self) -> bool:
        return str(self.told.event.origin) == "baseline"

    @property
    def quantity(self) -> Decimal:
        event = self.told.event
        assert isinstance(event, FillEvent)
        if event.exact is not None and event.exact.quantity is not None:
            return event.exact.quantity
        return Decimal(repr(event.message.filled_qty))


@dataclass(frozen=True)
class Era:
    """A time through which qehost has one memory."""

    begins: float
    opened: float
    """When the stream was opened first."""
    ends: float
    is_certain: bool
    """Whether it can't have known anything of the one before."""


def _eras(story: Story, heard: Heard) -> list[Era]:
    begins = [heard.runs[run] for run in heard.fresh]
    before = [story.ends[run - 1] for run in heard.fresh[1:]]
    certain = [True, *(end.kind in ("wipe", "copy") for end in before)]
    ends = [*(end.at for end in before), float("inf")]
    eras = []
    for begin, end, is_certain in zip(begins, ends, certain, strict=True):
        opened = [at for at in heard.opened if begin <= at < end]
        if opened:
            eras.append(Era(begin, opened[0], end, is_certain))
    return eras


class _Judge:
    def __init__(self, story: Story, venue: Venue, told: Sequence[Told], heard: Heard) -> None:
        self.story, self.venue, self.told, self.heard = story, venue, told, heard
        self.style = story.style
        self.shown = [(at, seen) for at, seen in heard.shown if self._was_there(at)]
        """By REST, and not to a process that had ended by then."""
        self.eras = _eras(story, heard)
        self.opened = self.eras[-1].opened if self.eras else None
        """Since when qehost listens that tells the last events: it has no memory of another one."""
        self.is_doubtful = any(end.kind not in ("stop", "kill") for end in story.ends) or bool(
            story.disks
        )
        """Whether qehost has lost, or may have lost, what it had told."""
        self.gap_errors = [
            each
            for each in told
            if isinstance(each.event, ErrorEvent) and each.event.message.code == "gap"
        ]

    def _was_there(self, time: float) -> bool:
        """Whether qehost ran then."""
        run, ends = bisect(self.heard.runs, time) - 1, self.story.ends
        return run >= len(ends) or time < ends[run].at

    def findings(self) -> Iterator[Finding]:
        if self.heard.refused:
            yield Finding("refused", "qehost", self.heard.refused[0])
        if self.heard.unread:
            yield Finding("unread", "qehost", "in the end REST is still to be asked")
        yield from self._numbers()
        yield from self._errors()
        shown: dict[int, list[_Shown]] = defaultdict(list)
        for each in self.told:
            event = each.event
            if isinstance(event, FillEvent | OrderEvent | MasterOrderEvent):
                seen = self.venue.texts.get(event.raw)
                if not seen:
                    yield Finding("unknown text", "qehost", event.raw)
                    continue
                shown[id(seen[0].order)].append(_Shown(each, seen))
        if self.opened is None:
            return
        for order in self.story.orders:
            events = shown[id(order)]
            yield from self._figures(order, events)
            if order.master is not None:
                yield from self._fills(order, events)
            yield from self._states(order, [each for each in events if not each.is_fill])

    # --- the sequence --------------------------------------------------------------------------

    def _numbers(self) -> Iterator[Finding]:
        last: Told | None = None
        for each in self.told:
            before = 0 if last is None else last.event.seq
            is_new_run = last is not None and last.run != each.run
            if each.event.seq != before + 1 and not (is_new_run and self.is_doubtful):
                yield Finding("seq", "qehost", f"{each.event.seq} after {before}")
            last = each

    def _errors(self) -> Iterator[Finding]:
        for each in self.told:
            if isinstance(each.event, ErrorEvent):
                problem = each.event.message
                if problem.code not in ("gap", "connect", "handshake", "lost", "listen_key"):
                    yield Finding("error", problem.code, problem.text)
        if not self.style.credentials:
            firsts = {era.opened for era in self.eras}
            for place, at in enumerate(self.heard.opened):
                following = self.heard.opened[place + 1 : place + 2]
                until = following[0] if following else float("inf")
                told = any(at <= each.at < until for each in self.gap_errors)
                if at not in firsts and not told:
                    yield Finding("no gap told", "qehost", f"a stream is open again at {at:.0f}")
        elif self.gap_errors and self._is_harmless():
            yield Finding("needless gap", "qehost", self.gap_errors[0].event.message.text)

    def _is_harmless(self) -> bool:
        """Whether nothing can have been missed for good."""
        return self.style.credentials and not (
            self.is_doubtful
            or self.story.steps
            or any(outage.rest_too for outage in self.story.outages)
            or self.style.rest_latency > 1_000  # there may be no baseline for want of time
        )

    # --- fills ---------------------------------------------------------------------------------

    def _figures(self, order: Order, events: list[_Shown]) -> Iterator[Finding]:
        """Whether events say what their texts said, and fills what they are worth."""
        worth = {state.filled: state.worth for state in order.states} | {0: 0}
        for each in events:
            event, state = each.told.event, each.seen[0].state
            if isinstance(event, OrderEvent):
                filled = self._units(Decimal(repr(event.message.cum_filled_qty)))
                if event.message.status != state.status or abs(filled - state.filled) > CLOSE:
                    yield Finding("wrong figures", order.id, f"{event.message}")
            if isinstance(event, FillEvent) and event.origin == "derived":
                if self.style.protocol == "v1":
                    continue  # it may be any of those that were not pushed
                assert event.exact
                to = self._units(event.exact.cum_quantity or Decimal())
                since = to - self._units(each.quantity)
                if event.exact.price is None or since not in worth or to not in worth:
                    continue
                due = worth[int(to)] - worth[int(since)]
                told = event.exact.price * (to - since)
                if abs(told - due) > Decimal("0.001"):
                    yield Finding("wrong price", order.id, f"{told} in place of {due}")
            elif event.origin == "stream" and self.style.push_time != "none":
                time = int(self.story.venue_ms(state.at))
                if self.style.push_time in ("rfc_s", "s", "s_number"):
                    time -= time % 1000
                said = event.message.timestamp  # type: ignore[union-attr]
                if self.style.protocol == "v2" and said != time:
                    yield Finding("wrong time", order.id, f"{said} in place of {time}")

    def _units(self, quantity: Decimal) -> Decimal:
        """Fills that are pushed have the venue's sign, derived ones have none."""
        return abs(quantity).scaleb(self.style.scale)

    def _fills(self, order: Order, events: list[_Shown]) -> Iterator[Finding]:
        fills = [each for each in events if each.is_fill]
        plain = sum((self._units(e.quantity) for e in fills if not e.is_marked), Decimal())
        marked = sum((self._units(e.quantity) for e in fills if e.is_marked), Decimal())
        low, high = self._filled_since(order)
        told = f"{plain:f}" + (f" and {marked:f} marked" if marked else "")
        due = f"{low}" if low == high else f"{low} to {high}"
        high_with_repeats = high + self._filled_again(order)
        if plain > high_with_repeats + CLOSE and not (
            self.style.rest_time in ("none", "created") and self._was_overtaken(order)
        ):
            yield Finding("filled twice", order.id, f"told {told} of {due}")
        elif plain + CLOSE < low:
            is_marked = plain + marked + CLOSE >= low
            is_coarse = self.style.protocol == "v1" and self.style.rest_time in COARSE
            is_slow = self.style.rest_latency > 1_000
            if is_marked and (self.is_doubtful or self._seems_set_back() or is_coarse or is_slow):
                return
            if self._is_announced(order):
                return
            yield Finding("fill missing", order.id, f"told {told} of {due}")

    def _filled_again(self, order: Order) -> int:
        """By V1's fills that the venue sent again, after a death of the process that had told them
        while the disk was full: of those it is not known that they came; in units."""
        if not self.story.disks:
            return 0
        runs: dict[str, set[int]] = defaultdict(set)
        filled: dict[str, int] = {}
        for at, push in self.heard.pushed:
            if push.seen.order is order and push.seen.what == "fill":
                runs[push.text].add(bisect(self.heard.runs, at))
                filled[push.text] = push.seen.filled
        return sum(filled[text] * (len(each) - 1) for text, each in runs.items())

    def _is_quantity_unknown(self, said: State, last: State) -> bool:
        """Whether only the quantity is another one, REST does not say when it changed, and what was
        told on a full disk is remembered without it."""
        is_it = (said.status, said.filled) == (last.status, last.filled)
        return is_it and bool(self.story.disks) and self.style.rest_time in ("none", "created")

    def _was_set_back(self) -> bool:
        """Whether the venue's clock was: what is new then seems to be old."""
        return any(step.whose == "venue" and step.by < 0 for step in self.story.steps)

    def _seems_amended(self, order: Order, state: State) -> bool:
        """Whether a former id of an order at its exchange seems to be a later one than its last."""
        last = order.states[-1]
        if not last.is_final or state.order_id == last.order_id:
            return False
        when, ended = (int(self.story.venue_ms(each.at)) for each in (state, last))
        if self.style.push_time in ("rfc_s", "s", "s_number"):
            return when // 1000 >= ended // 1000
        return when >= ended

    def _seems_set_back(self) -> bool:
        """Whether the venue's clock was, or by the time of a start this machine's forward."""
        return self._was_set_back() or any(
            step.whose != "venue" and step.by > 0 and step.at < end.until
            for step in self.story.steps
            for end in self.story.ends
        )

    def _filled_since(self, order: Order) -> tuple[int, int]:
        """How much was filled since we listened, as far as qehost had to find out; in units.

        At least and at most: it does not know exactly what a memory knew that is lost.
        """
        if self.style.protocol == "v1" and not self.style.credentials:
            texts = {p.text: p.seen.filled for _, p in self.heard.pushed if p.seen.order is order}
            return sum(texts.values()), sum(texts.values())
        low = high = most_before = 0
        for era in self.eras:
            pushed = [
                push.seen.state.filled
                for at, push in self.heard.pushed
                if push.seen.order is order and era.opened <= at < era.ends
            ]
            heard = max(pushed, default=0)
            at_end = order.at(era.ends)
            there = at_end.filled if at_end else 0
            if not self.style.credentials:
                there = heard
            elif era is self.eras[-1]:
                heard = there
            elif self.style.protocol == "v1":
                # The push of a fill that was on its way got lost, and nothing tells of it.
                texts = {
                    push.text: push.seen.filled
                    for at, push in self.heard.pushed
                    if push.seen.order is order and era.opened <= at < era.ends
                }
                heard = min(heard, sum(texts.values()))
            least, most = self._base(order, era, pushed)
            low += max(0, heard - most)
            # What happened in between it may know after all.
            high += max(0, there - (least if era.is_certain else min(least, most_before)))
            most_before = there
        return low, high

    def _base(self, order: Order, era: Era, pushed: list[int]) -> tuple[int, int]:
        """How much was filled before that, at least and at most; in units."""
        if self._is_unseen(order):
            return 0, order.states[-1].filled
        if order.created >= era.opened:
            return 0, 0
        if not self.style.credentials:
            if not pushed:
                return 0, 0
            # Of what its first push has, it can't be known what was filled since; but what really
            # was is no fill too many.
            stood = order.at(era.opened)
            if self._was_set_back():
                stood = None  # it seems to be made since
            return min(stood.filled if stood else 0, pushed[0]), pushed[0]
        # What happened while REST was read, and until the stream was open, is caught up.
        first = order.at(era.begins - self.style.rest_lag)
        # If the clock was set back, or an old state comes late, that seems to have been since.
        if self._was_set_back() or (order.states[-1].at < era.opened and pushed):
            first = None
        last = order.at(era.opened)
        return first.filled if first else 0, last.filled if last else 0

    def _is_unseen(self, order: Order) -> bool:
        """Whether qehost could not know of its end, or not that it was new."""
        same = [other for other in self.story.orders if other.id == order.id]
        if len(same) > 1:
            return not all(self._is_end_seen(other) for other in same)
        if self.style.rest_time != "none" or not order.states[-1].is_final:
            return False
        # Without any time, what has ended may have done so long ago.
        return not any(push.seen.order is order for _, push in self.heard.pushed)

    def _is_end_seen(self, order: Order) -> bool:
        last = order.states[-1]
        return any(push.seen.state is last for _, push in self.heard.pushed) or any(
            seen.state is last for _, seen in self.shown
        )

    # --- states --------------------------------------------------------------------------------

    def _states(self, order: Order, events: list[_Shown]) -> Iterator[Finding]:
        yield from self._repeats(order, events)
        fresh = [each for each in events if not each.is_stale]
        final = False
        begins = self.heard.runs[1:] if self.is_doubtful else []
        for each in fresh:
            while begins and each.told.at >= begins[0]:
                final = False
                del begins[0]
            is_final = all(seen.state.is_final for seen in each.seen)
            seems_amended = self._seems_amended(order, each.seen[0].state)
            if final and not is_final and not each.is_marked and not seems_amended:
                status = each.seen[0].state.status
                yield Finding("reopened", order.id, f"{status} ({each.told.event.origin})")
            final = final or is_final
        last = order.states[-1]
        if not self._had_to_know(order):
            return
        if not fresh:
            yield Finding("state missing", order.id, f"nothing was told, in the end {last.status}")
            return
        if not any(self._is_same(order, seen.state, last) for seen in fresh[-1].seen):
            said = fresh[-1].seen[0].state
            # What is marked may be of an order that goes on, amended: its end has no time then.
            may_be_old = self.is_doubtful or not last.is_final or fresh[-1].is_marked
            if self._was_overtaken(order) and may_be_old:
                return
            if self._seems_amended(order, said) or self._is_quantity_unknown(said, last):
                return
            if self._is_told_of_a_former_one(order, events):
                return
            yield Finding(
                "last state" if last.is_final else "last open state",
                order.id,
                f"told {_words(said)}, is {_words(last)}",
            )

    def _is_told_of_a_former_one(self, order: Order, events: list[_Shown]) -> bool:
        """Whether its end came when another order had its id: then it is told as stale."""
        is_former = any(
            other.id == order.id and other.created > order.created for other in self.story.orders
        )
        return is_former and any(
            each.is_stale and any(seen.state is order.states[-1] for seen in each.seen)
            for each in events
        )

    def _is_same(self, order: Order, a: State, b: State) -> bool:
        """Whether they differ in nothing that a message shows."""
        if self.style.protocol == "v1" and order.master is None:  # it says nothing of fills
            return (a.status, a.quantity) == (b.status, b.quantity)
        return (a.status, a.filled, a.quantity) == (b.status, b.filled, b.quantity)

    def _had_to_know(self, order: Order) -> bool:
        """Whether qehost could know how it stands in the end."""
        assert self.opened is not None
        last = order.states[-1]
        if self._is_unseen(order):
            return False
        if last.at < self.opened:  # it changed no more
            return self.style.credentials and not last.is_final
        if self.style.credentials:
            return not self._is_announced(order)
        return any(p.seen.state is last for _, p in self.heard.pushed)

    def _was_overtaken(self, order: Order) -> bool:
        """Whether the stream brought a state after a later one was known, by it or by REST.

        Times can't tell, since the venue's clock may have been set.
        """
        known = [(at, push.seen) for at, push in self.heard.pushed if push.seen.order is order]
        known += [(at, seen) for at, seen in self.shown if seen.order is order]
        known.sort(key=lambda each: each[0])
        latest = -1
        for _, seen in known:
            place = order.states.index(seen.state)
            if seen.source == "stream" and place < latest:
                return True
            latest = max(latest, place)
        return False

    def _is_announced(self, order: Order) -> bool:
        """Whether an error said that something may be missing, or nothing could know of it."""
        if bool(self.gap_errors) and not self._is_harmless():
            return True
        # A process that ends soon has not measured the venue's clock again, and notes wrong times.
        return any(
            step.whose == "venue" and step.by < 0 and step.at < end.at
            for step in self.story.steps
            for end in self.story.ends
        )

    def _repeats(self, order: Order, events: list[_Shown]) -> Iterator[Finding]:
        if self.is_doubtful:
            return
        told: dict[str, int] = {}  # by text, in which run
        before: _Shown | None = None
        for each in events:
            event = each.told.event
            if each.is_marked or each.is_stale:
                before = each
                continue
            if event.origin == "stream" and event.message_id not in ("", "0"):
                known = told.get(event.raw)
                # So short a memory does not hold what an earlier run told long before its end.
                is_forgotten = self.style.short_memory and known != each.told.run
                if known is not None and not is_forgotten:
                    yield Finding("push twice", order.id, event.raw)
                told[event.raw] = each.told.run
            elif (
                event.origin == "catch_up"
                and before is not None
                and [s.state for s in before.seen] == [s.state for s in each.seen]
            ):
                state = _words(each.seen[0].state)
                yield Finding("no news", order.id, f"REST told {state} again")
            before = each


def _words(state: State) -> str:
    return f"{state.status} {state.filled}/{state.quantity}"
