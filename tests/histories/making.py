"""A story from a seed."""

from __future__ import annotations

import random

from .story import ClockStep, End, FullDisk, Order, Outage, Sleep, State, Story, Style

__all__ = ["make"]

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
PUSH_TIMES = (
    *("rfc_s", "rfc_ns", "offset", "s", "ms", "us", "ns"),
    *("s_number", "ms_number", "us_number", "ns_number", "none"),
)
REST_TIMES = (
    *("rfc_s", "rfc_s", "rfc_ns", "offset", "s", "ms", "us", "ns", "ms_number"),
    *("none", "none", "created", "created"),
)


def make(seed: int) -> Story:
    """The story of this seed, now and always."""
    return _Maker(seed).story


class _Maker:
    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.chance = rng.choice((0.0, 0.15, 0.4))
        """How likely each oddity is in this story: there are simple stories, too."""
        self.story = Story(seed)
        self.is_long = self._odd()
        self.span = HOUR if self.is_long else rng.choice((5_000, MINUTE, 4 * MINUTE))
        self.style = self.story.style = self._style()
        if self.is_long:
            self.style.ping_interval, self.style.mute_after = 300.0, 1_200.0
        self.ids = 0
        self._orders()
        self._events()
        if self._odd():
            self._ids_anew()
        self._pushes()

    def _odd(self) -> bool:
        return self.rng.random() < self.chance

    # --- the venue ----------------------------------------------------------------------------

    def _style(self) -> Style:
        rng, odd = self.rng, self._odd
        style = Style()
        if rng.random() < 0.2:
            style.protocol = "v1"
        style.credentials = not odd()
        if odd():
            style.push_time = rng.choice(PUSH_TIMES)
            if style.push_time == "none" and style.protocol == "v1":
                style.push_time = "rfc_ms"
        if odd():
            style.rest_time = rng.choice(REST_TIMES)
        if odd() and style.rest_time in ("rfc_ms", "rfc_ns", "ms"):
            style.rest_shift = rng.choice((-100, -1))
        if (
            odd()
            and style.rest_time in ("rfc_ms", "rfc_ns")
            and style.push_time in ("rfc_ms", "ms")
        ):
            style.rest_lag = rng.choice((100, 2_000))
        style.rest_filter = rng.choice(("created", "updated"))
        style.rest_latency = rng.choice((50, 300)) if not odd() else 4_000
        style.rest_digits = odd()
        style.rest_upper = odd()
        style.numbers = odd()
        style.signed = odd()
        style.scale = rng.choice((0, 1, 3, 8))
        if odd():
            style.message_ids = rng.choice(("anew", "none", "placeholder"))
        if style.message_ids == "anew" and style.push_time in ("none", "rfc_s", "s", "s_number"):
            style.message_ids = "unique"
        if odd():
            style.late_stream = rng.choice((200, 2_000))
        if odd() and style.credentials:
            style.key_life = rng.choice((1, 4)) * max(60, self.span // 3_000)
        style.key_in_ms = odd()
        style.is_strict = not odd()
        style.fill_first = odd()
        style.short_memory = odd()
        style.venue_ids = not odd()
        return style

    # --- orders -------------------------------------------------------------------------------

    def _orders(self) -> None:
        rng = self.rng
        for place in range(rng.choice((1, 1, 2))):
            has_past = self._odd() and self.style.credentials
            born = (
                -rng.choice((5_000, 10 * MINUTE, 30 * HOUR))
                if has_past
                else rng.randrange(6_000, 6_000 + self.span // 2)
            )
            if place and rng.random() < 0.3:
                last = max(state.at for order in self.story.orders for state in order.states)
                born = last + rng.randrange(10_000, 60_000)
                has_past = False
            master = Order(self._id("mo"), None, [])
            children = []
            for _ in range(rng.choice((0, 1, 1, 2, 3))):
                begin = born + rng.randrange(0, 2_000)
                if not has_past or rng.random() < 0.5:
                    begin = max(begin, rng.randrange(6_000, 6_000 + self.span), born)
                children.append(self._child(master, begin))
            master.states = self._master_states(born, children)
            self.story.orders += [master, *children]

    def _id(self, prefix: str) -> str:
        self.ids += 1
        return f"{prefix}{self.rng.randrange(16**6):06x}{self.ids:02x}"

    def _later(self, at: int) -> int:
        """A time soon after another one: often within the same second, at times the very same."""
        rng = self.rng
        step = rng.choice((0, 1, 300, 1_500, 20_000, self.span // 3, self.span))
        at += step and rng.randrange(step) + 1
        # Between the start and the opening of the stream; stories begin behind it.
        return at if at < -1_000 else max(at, 6_000 + rng.randrange(2_000)) if at < 6_000 else at

    def _child(self, master: Order, at: int) -> Order:
        rng, style = self.rng, self.style
        simple = style.protocol == "v1" or not style.venue_ids
        unacknowledged = not simple and self._odd()
        shared = not simple and self._odd()
        placeholder = rng.choice(("", "0"))
        own = self._id("ex")
        number = placeholder if unacknowledged else "0" if shared else own
        quantity = rng.choice((1, 7, 100, 155))
        state = State(at, "PLACED", 0, 0, quantity, number)
        states = [state]

        def go(**changes: object) -> None:
            nonlocal state
            values = {
                "at": self._later(state.at),
                "status": state.status,
                "filled": state.filled,
                "worth": state.worth,
                "quantity": state.quantity,
                "order_id": state.order_id,
                **changes,
            }
            state = State(**values)  # type: ignore[arg-type]
            states.append(state)

        def fill(more: int, status: str = "PLACED") -> None:
            go(
                filled=state.filled + more,
                worth=state.worth + more * rng.randrange(90, 110),
                status=status,
            )

        if rng.random() < 0.1:
            go(status="REJECTED")
            return Order(self._id("co"), master, states)
        for _ in range(rng.randrange(5)):
            kind = rng.random()
            left = state.quantity - state.filled
            if unacknowledged and number == placeholder and kind < 0.5:
                number = own
                go(order_id=number)
            elif not simple and not shared and kind < 0.8 and self._odd():
                number = self._id("ex")
                go(order_id=number, quantity=state.quantity + rng.choice((0, 5, 50)))
            elif left > 1:
                fill(rng.randrange(1, left))
        ending = rng.random()
        left = state.quantity - state.filled
        if ending < 0.4 and left:
            fill(left, "FILLED")
        elif ending < 0.75:
            if rng.random() < 0.3:
                go(status="Cancelack")
            go(status="CANCELLED")
        return Order(self._id("co"), master, states)

    def _master_states(self, at: int, children: list[Order]) -> list[State]:
        rng = self.rng
        quantity = 1_000
        times: list[tuple[int, str]] = []
        for child in children:
            times += [(s.at, "") for s in child.states if rng.random() < 0.5]
        now = at
        for _ in range(rng.randrange(4)):
            now = self._later(now)
            times.append((now, rng.choice(("PAUSED", "PROCESSING", "amend"))))
        times.sort(key=lambda each: each[0])
        states = [State(at, rng.choice(("NEW", "PROCESSING")), 0, 0, quantity)]
        for time, what in times:
            if time < at:
                continue
            last = states[-1]
            status = last.status if what in ("", "amend") else what
            if status == "NEW" and what == "":
                status = "PROCESSING"
            quantity = last.quantity + (10 if what == "amend" else 0)
            states.append(self._sum(time, status, quantity, children))
        last_at = max([states[-1].at, *(c.states[-1].at for c in children)])
        if all(c.states[-1].is_final for c in children) and rng.random() < 0.6:
            status = rng.choice(("COMPLETED", "CANCELLED", "COMPLETED_WITHTAIL"))
            end = last_at + rng.choice((0, 5, 2_000))
            states.append(self._sum(end, status, states[-1].quantity, children))
        return states

    def _sum(self, at: int, status: str, quantity: int, children: list[Order]) -> State:
        there = [state for child in children if (state := child.at(at))]
        return State(
            at, status, sum(s.filled for s in there), sum(s.worth for s in there), quantity
        )

    # --- what happens beside -------------------------------------------------------------------

    def _events(self) -> None:
        rng, story, odd = self.rng, self.story, self._odd
        last = max(state.at for order in story.orders for state in order.states)
        span = max(last, 20_000) + 5_000

        def some(most: int, likely: float) -> int:
            return sum(rng.random() < likely for _ in range(most)) if self.chance else int(odd())

        for _ in range(rng.choice((0, 1, 1, 2)) if self.chance else rng.choice((0, 0, 1))):
            at = self._near_a_change(span)
            until = at + rng.choice((0, 500, 3_000, 30_000, self.span // 2))
            story.outages.append(Outage(at, until, odd(), odd()))
        for _ in range(rng.choice((0, 0, 1, 2)) if self.chance else 0):
            at = self._near_a_change(span)
            kind = rng.choice(("stop", "kill", "kill"))
            if odd():
                kind = rng.choice(("tail", "power", "wipe", "copy"))
            until = at + rng.choice((1_000, 5_000, self.span // 2))
            story.ends.append(End(at, until, kind, rng.randrange(1, 8)))
        story.ends.sort(key=lambda end: end.at)
        story.ends = [
            end
            for n, end in enumerate(story.ends)
            if n == 0 or story.ends[n - 1].until + 3_000 < end.at
        ]
        if odd():
            by = rng.choice((100_000, 200_000, HOUR, DAY)) * rng.choice((-1, 1))
            story.steps.append(
                ClockStep(self._near_a_change(span), by, rng.choice(("machine", "venue")))
            )
        # A sleep of an hour hides that the venue's clock was set back by an hour.
        if odd() and not any(step.whose == "venue" for step in story.steps):
            at = self._near_a_change(span)
            sleep = Sleep(at, at + rng.choice((2_000, 20_000, HOUR)))
            # Nothing ends on a machine that sleeps.
            if not any(sleep.at <= end.at < sleep.until for end in story.ends):
                story.sleeps.append(sleep)
        if odd() and self.chance:
            at = self._near_a_change(span)
            story.disks.append(FullDisk(at, at + rng.choice((3_000, 60_000))))

    def _ids_anew(self) -> None:
        """After an outage the venue gives ids again that it gave before."""
        if "none" in (self.style.push_time, self.style.rest_time) or self.style.protocol == "v1":
            return  # nobody could tell them apart
        story = self.story
        masters = [order for order in story.orders if order.master is None]
        if len(masters) < 2:
            return
        families = [
            [order for order in story.orders if master in (order, order.master)]
            for master in sorted(masters, key=lambda master: master.created)
        ]
        earlier, later = families[0], families[-1]
        ended = max(order.states[-1].at for order in earlier)
        is_over = all(order.states[-1].is_final for order in earlier)
        begun = min(order.created for order in later)
        if is_over and ended + 6_000 < begun:
            story.outages.append(Outage(ended + 2_000, ended + 4_000))
            for old, new in zip(earlier, later, strict=False):
                end = old.states[-1]
                # With more filled it might be a cancelled one that goes on, amended.
                if end.status != "CANCELLED" or old.master is None or not end.filled:
                    new.id = old.id

    def _near_a_change(self, span: int) -> int:
        rng = self.rng
        if rng.random() < 0.3:
            return rng.randrange(7_000, span)
        states = [s for order in self.story.orders for s in order.states if s.at > 7_000]
        if not states:
            return rng.randrange(7_000, span)
        return max(7_000, rng.choice(states).at + rng.choice((-2_000, -500, -1, 0, 1, 10, 500)))

    def _pushes(self) -> None:
        rng = self.rng
        # Two fills of V1 that are alike may be two fills.
        nameless = self.style.protocol == "v1" and self.style.message_ids in ("none", "placeholder")
        for order in self.story.orders:
            for state in order.states:
                if self._odd() and rng.random() < 0.3:
                    state.delay = rng.choice((300, 1_200, 3_000))
                if self._odd() and rng.random() < 0.5 and not nameless:
                    state.repeats = (rng.choice((0, 50, 2_000, 60_000)),)
