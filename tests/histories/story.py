"""What happens in a history.  Plain data; times are milliseconds of true time, from the moment at
which qehost is started first."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "EPOCH",
    "FINAL",
    "ClockStep",
    "End",
    "FullDisk",
    "Order",
    "Outage",
    "Sleep",
    "State",
    "Story",
    "Style",
]

EPOCH = 1_752_000_000_000
"""Epoch ms of the time 0, if no clock is wrong."""

FINAL = frozenset({"FILLED", "CANCELLED", "REJECTED", "EXPIRED", "COMPLETED", "COMPLETED_WITHTAIL"})


@dataclass
class State:
    """An order from `at` on, and the push that says so."""

    at: int
    status: str
    filled: int = 0  # in units, without a sign
    worth: int = 0  # the notional of that, in units of the quote currency
    quantity: int = 0
    order_id: str = ""  # the exchange's id of a child order
    delay: int = 20
    """Until the push arrives; longer ones are overtaken by what is pushed later."""
    repeats: tuple[int, ...] = ()
    """After so long the same message is sent again."""

    @property
    def is_final(self) -> bool:
        return self.status in FINAL


@dataclass
class Order:
    id: str
    master: Order | None  # of a child order
    states: list[State]

    @property
    def created(self) -> int:
        return self.states[0].at

    def at(self, time: float) -> State | None:
        """Its state then; None: there was no such order yet."""
        found = None
        for state in self.states:
            if state.at <= time:
                found = state
        return found


@dataclass
class Outage:
    """The venue ends the stream at `at`, and accepts none before `until`."""

    at: int
    until: int
    is_silent: bool = False
    """The stream does not end: nothing comes any more, not even answers to pings."""
    rest_too: bool = False
    """REST does not answer either."""


@dataclass
class End:
    """The end of qehost at `at`; it is started again at `until`."""

    at: int
    until: int
    kind: str = "kill"
    """`stop`: in an orderly way; `kill`; `tail`: what was journalled last is lost as well; `power`:
    so is its number, and the machine is started anew; `wipe`: the state folder is deleted; `copy`:
    a copy of it is put in its place, from when this run began."""
    lost: int = 0
    """Of `tail` and `power`: how many batches."""


@dataclass
class ClockStep:
    """A clock is set."""

    at: int
    by: int  # ms
    whose: str = "machine"  # or `venue`


@dataclass
class Sleep:
    """The machine sleeps: nothing runs, and the monotonic clock stands still."""

    at: int
    until: int


@dataclass
class FullDisk:
    at: int
    until: int


@dataclass
class Style:
    """How the venue writes, and what else stays the same in one history.  The defaults are those
    of a simple venue."""

    protocol: str = "v2"
    credentials: bool = True
    push_time: str = "rfc_ms"
    """`rfc_ms`, `rfc_s`, `rfc_ns`, `offset`; `s`, `ms`, `us`, `ns`, as text or, with `_number`
    behind it, as a number; `none`."""
    rest_time: str = "rfc_ms"
    """The same; `created`: there is no `updatedAt`, but `createdAt`."""
    rest_shift: int = 0
    """ms that REST's times differ from those of the stream."""
    rest_lag: int = 0
    """ms after which REST knows of a change."""
    rest_filter: str = "created"
    """What `startTime` is compared with: `created` or `updated`."""
    rest_latency: int = 100
    """ms of one call at most."""
    rest_digits: bool = False
    """Whether REST writes `0.10` for `0.1`."""
    rest_upper: bool = False
    """Whether REST writes ids in upper case."""
    numbers: bool = False
    """Whether decimals are JSON numbers."""
    signed: bool = False
    """Whether sales have negative quantities."""
    scale: int = 1
    """Digits behind the point of quantities."""
    message_ids: str = "unique"
    """`anew`: from 1 again after each outage; `none`; `placeholder`: "0"."""
    venue_ids: bool = True
    """Whether child orders have the venue's id."""
    late_stream: int = 0
    """ms from the handshake until the stream begins."""
    fill_first: bool = False
    """Of V1: whether the fill is pushed before its order."""
    short_memory: bool = False
    """Whether only a few events are read again at a start, so that the checkpoint counts."""
    key_life: int = 86_400
    """Seconds that a listen key lives.  A new one ends the stream of the one before."""
    key_in_ms: bool = False
    """Whether `expireAt` is in ms."""
    is_strict: bool = True
    """Whether the venue closes that stream; otherwise it only sends nothing any more."""
    ping_interval: float = 30.0
    mute_after: float = 300.0


@dataclass
class Story:
    seed: int
    style: Style = field(default_factory=Style)
    orders: list[Order] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    steps: list[ClockStep] = field(default_factory=list)
    disks: list[FullDisk] = field(default_factory=list)
    sleeps: list[Sleep] = field(default_factory=list)

    @property
    def horizon(self) -> int:
        """When the last thing happens."""
        times = [0]
        times += [s.at + max(s.delay, *s.repeats, 0) for order in self.orders for s in order.states]
        times += [each.until for each in (*self.outages, *self.ends, *self.disks, *self.sleeps)]
        times += [step.at for step in self.steps]
        return max(times)

    def venue_ms(self, time: float) -> float:
        """What the venue's clock shows; epoch ms."""
        return EPOCH + time + sum(s.by for s in self.steps if s.whose == "venue" and s.at <= time)

    def machine_ms(self, time: float) -> float:
        """What this machine's clock shows; epoch ms."""
        return EPOCH + time + sum(s.by for s in self.steps if s.whose != "venue" and s.at <= time)

    def asleep(self, time: float) -> float:
        """How many ms until then the machine has slept."""
        return sum(min(time, s.until) - s.at for s in self.sleeps if s.at < time)

    def is_down(self, time: float, *, rest: bool = False) -> bool:
        return any(o.at <= time < o.until and (o.rest_too or not rest) for o in self.outages)
