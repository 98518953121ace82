"""What plugins' tests import: events that fit together, and a host that is the product's."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import msgspec
import pytest
from fed import fed
from hypothesis import given
from hypothesis import strategies as st

from qehost import hookspecs, testing
from qehost.errors import (
    ConnectError,
    DecodeError,
    Error,
    HookError,
    PluginError,
    UnknownPlugin,
)
from qehost.host.context import Context
from qehost.messages import (
    AnyEvent,
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderDetail,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderDetail,
    OrderMessage,
)
from qehost.pipeline import Pipeline, arranged
from qehost.testing import (
    Events,
    PluginHost,
    Recorder,
    StartPlugin,
    Venue,
    detail,
    fields,
    fill,
    master_order,
    order,
    worked_master_order,
)

AMOUNTS = st.decimals("1E-12", "1E+12", allow_nan=False, allow_infinity=False)
KINDS = ("master_order", "order", "fill", "status", "error", "connected", "disconnected", "unknown")


# --- events ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_of_each_kind_needs_no_argument(kind: str) -> None:
    event: AnyEvent = getattr(Events(), kind)()
    assert event.kind == kind
    assert (event.seq, event.account, event.redelivered) == (1, "main", False)


def test_events_are_numbered_for_each_account_and_come_one_after_the_other() -> None:
    events = Events(step_ms=250)
    made = [events.order(), events.fill(account="second"), events.fill(), events.status()]
    assert [event.seq for event in made] == [1, 1, 2, 3]
    times = [event.received_at for event in made]
    assert {later - earlier for earlier, later in pairwise(times)} == {250_000_000}


def test_number_time_and_id_can_be_pinned() -> None:
    events = Events()
    event = events.fill(seq=7, received_at=1_700_000_000_123_000_000, message_id="x")
    assert (event.seq, event.received_at, event.message_id) == (7, 1_700_000_000_123_000_000, "x")
    assert event.message.timestamp == detail(event).fill_time == 1_700_000_000_123
    assert events.fill().seq == 8


@pytest.mark.parametrize("origin", ["stream", "catch_up"])
def test_a_message_is_what_the_product_makes_of_the_raw_text(origin: Any) -> None:
    events = Events()
    made: list[AnyEvent] = [
        events.master_order(origin=origin, qty="2.50", strategy="VWAP"),
        events.order(origin=origin, status="FILLED", price="0.10"),
    ]
    pipeline = Pipeline("main")
    if origin == "stream":
        told = [e for event in made for e in fed(pipeline, [event.raw], event.received_at)]
    else:
        told = pipeline.catch_up(arranged([made[0].raw], [made[1].raw]), made[0].received_at)
    assert [event.message for event in told[:2]] == [event.message for event in made]
    assert [event.message_id for event in told[:2]] == [event.message_id for event in made]


@given(quantity=AMOUNTS, price=AMOUNTS)
def test_no_digit_of_what_was_asked_for_is_lost(quantity: Decimal, price: Decimal) -> None:
    filled = detail(fill(quantity=quantity, price=price))
    assert (str(filled.quantity), str(filled.price)) == (str(quantity), str(price))
    assert filled.notional is not None
    assert Fraction(filled.notional) == Fraction(quantity) * Fraction(price)
    child = detail(order(quantity=str(quantity), price=str(price), status="FILLED"))
    assert (child.quantity, child.filled_quantity, child.price) == (quantity, quantity, price)
    master = detail(master_order(total_quantity=quantity, worst_price=price))
    assert (master.total_quantity, master.worst_price) == (quantity, price)


def test_a_float_is_taken_as_it_was_written_and_none_was_not_sent() -> None:
    assert detail(fill(filled_qty=0.1)).quantity == Decimal("0.1")
    event = order(average_price=None, filled_quantity=None)
    assert (detail(event).average_price, event.message.fill_price) == (None, 0.0)


def test_names_of_the_message_and_of_the_detail_mean_the_same() -> None:
    assert detail(master_order(reason="no funds")).reject_reason == "no funds"
    assert master_order(reject_reason="no funds").message.reason == "no funds"
    assert order(timestamp=1_700_000_000_123).message.timestamp == 1_700_000_000_123
    with pytest.raises(TypeError, match="qty is another name of total_quantity"):
        master_order(total_quantity=1, qty=2)


def test_a_mistyped_field_gets_the_nearest_one() -> None:
    with pytest.raises(TypeError, match="there is no field symbl; did you mean symbol"):
        fill(symbl="BTCUSDT")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="there is no field acount; did you mean account"):
        Events().connected(acount="main")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="'1,5' is no number"):
        fill(quantity="1,5")
    with pytest.raises(TypeError, match="a fill that V1 pushes has none"):
        fill(origin="stream", notional="1")


@pytest.mark.parametrize(
    ("known", "names", "message", "detail_"),
    [
        (
            fields.MasterOrderFields,
            fields.MASTER_ORDER_NAMES,
            MasterOrderMessage,
            MasterOrderDetail,
        ),
        (fields.OrderFields, fields.ORDER_NAMES, OrderMessage, OrderDetail),
        (fields.FillFields, fields.FILL_NAMES, FillMessage, FillDetail),
    ],
)
def test_every_field_can_be_given_and_is_typed(
    known: Any, names: dict[str, str], message: Any, detail_: Any
) -> None:
    hints = set(get_type_hints(known)) - set(get_type_hints(fields.MessageFields)) - {"origin"}
    assert hints == {*detail_.__struct_fields__, *names}
    assert set(names) <= {*message.__struct_fields__}


def test_the_filled_figures_follow_from_the_status() -> None:
    done = detail(order(quantity="0.40", price="10", status="FILLED"))
    assert (done.filled_quantity, done.average_price, done.filled_notional) == (
        Decimal("0.40"),
        Decimal("10"),
        Decimal("4.00"),
    )
    completed = detail(master_order(qty="3", status="COMPLETED"))
    assert completed.cum_filled_qty == completed.completed_quantity == 3
    assert completed.finished_ms is not None


def test_currencies_follow_from_the_symbol() -> None:
    child = detail(order(symbol="ETHBTC"))
    assert (child.base_currency, child.quote_currency) == ("ETH", "BTC")
    assert detail(order(symbol="XYZ")).quote_currency == ""


def test_a_derived_fill_has_the_text_of_its_child_order() -> None:
    partial = fill(quantity="0.10", price="5.0", cum_quantity="0.30")
    told, derived = fed(Pipeline("main"), [partial.raw], partial.received_at)
    assert told.kind == "order"
    assert isinstance(derived, FillEvent)
    assert detail(derived).quantity == Decimal("0.30")
    whole = fill(quantity="0.10000000", price="61234.50")
    _, derived = fed(Pipeline("main"), [whole.raw], whole.received_at)
    assert isinstance(derived, FillEvent)
    assert str(detail(derived)) == str(detail(whole))
    assert derived.message == whole.message


def test_a_pushed_fill_is_read_from_its_own_text() -> None:
    event = fill(origin="stream", quantity="0.10000000000000000001", price=5)
    (told,) = fed(Pipeline("main"), [event.raw], event.received_at)
    assert told.message == event.message
    assert str(detail(event).quantity) == "0.10000000000000000001"


def test_errors_reach_on_error_as_they_were_given(recorder: Recorder) -> None:
    events = Events()
    decode = DecodeError("price: no number", '{"price": "x"}', "$.data.price")
    with PluginHost(recorder) as host:
        host.deliver(events.error("no margin"), events.error(ConnectError("refused", "wss://x")))
        host.deliver(events.error(decode))
    venue, connect, unread = [call.arguments["error"] for call in recorder.of("on_error")]
    assert (type(venue).__name__, str(venue)) == ("VenueError", "no margin")
    assert (type(connect), connect.address) == (ConnectError, "wss://x")
    assert (type(unread), unread.raw, unread.path) == (DecodeError, decode.raw, decode.path)


# --- a master order's life ------------------------------------------------------------------------


@given(
    quantity=st.decimals("0.0001", "1E+6", places=4),
    children=st.integers(1, 7),
    status=st.sampled_from(["COMPLETED", "CANCELLED", "EXPIRED"]),
)
def test_a_worked_master_order_adds_up_exactly(
    quantity: Decimal, children: int, status: str
) -> None:
    events = worked_master_order(
        children=children, qty=quantity, status=status, price="3.07", events=Events()
    )
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    fills = [detail(event) for event in events if isinstance(event, FillEvent)]
    last = events[-1]
    assert isinstance(last, MasterOrderEvent)
    end = detail(last)
    assert end.status == status
    assert sum((each.quantity or Decimal(0) for each in fills), Decimal(0)) == end.cum_filled_qty
    if status == "COMPLETED":
        assert end.cum_filled_qty == quantity
        assert sum(each.notional or 0 for each in fills) == end.cum_filled_notional


def test_the_products_pipeline_makes_the_same_events_of_the_same_texts() -> None:
    made = worked_master_order(children=3, qty="0.7", side="sell", status="CANCELLED")
    pipeline = Pipeline("main", made[0].seq)
    told = [
        event
        for each in made
        if each.origin == "stream"
        for event in fed(pipeline, [each.raw], each.received_at)
    ]
    assert told == made


def test_a_worked_master_order_without_a_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="has a quantity"):
        worked_master_order(qty=None)


# --- the host -------------------------------------------------------------------------------------


class Counting:
    class Config(msgspec.Struct, frozen=True):
        limit: int = 10
        label: str = ""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.seen: list[Any] = []

    def on_start(self, context: Context) -> None:
        self.context = context
        self.seen.append("start")

    def on_fill(self, detail: FillDetail) -> None:
        self.seen.append(detail.quantity)
        if detail.quantity and detail.quantity > self.config.limit:
            raise ValueError(f"{detail.quantity} is over the limit")

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        self.seen.append(len(events))

    def on_tick(self, now: float) -> None:
        self.seen.append(now)

    def on_stop(self, reason: str) -> None:
        self.seen.append(reason)


def test_a_class_is_configured_started_called_and_stopped() -> None:
    with PluginHost(Counting, {"limit": "20"}) as host:
        host.deliver(fill(quantity=1), fill(quantity=2))
        host.tick(5.0)
    assert host.plugin.seen == ["start", 1, 2, 2, 5.0, "the test is over"]
    assert host.config == Counting.Config(limit=20)
    assert host.hooks == ("on_start", "on_stop", "on_fill", "on_batch", "on_tick")
    assert host.errors == []


def test_a_module_and_an_object_are_plugins_too() -> None:
    module = ModuleType("my_alerts")
    exec("seen = []\ndef on_fill(message): seen.append(message.symbol)", module.__dict__)
    with PluginHost(module) as host:
        host.deliver(fill(symbol="ETHUSDT"))
    assert (host.name, host.plugin.seen) == ("my_alerts", ["ETHUSDT"])
    recorder = Recorder()
    with PluginHost(recorder, name="mine") as host:
        assert host.context.plugin == host.name == "mine"
    assert host.plugin is recorder


def test_an_installed_plugin_goes_by_name_and_a_module_by_where_it_is() -> None:
    with PluginHost("qehost.testing:Recorder") as host:
        assert isinstance(host.plugin, Recorder)
    with pytest.raises(UnknownPlugin):
        PluginHost("no_such_plugin_anywhere")


@pytest.mark.parametrize(
    ("plugin", "config", "text"),
    [
        (Counting, {"limt": 1}, "plugins.plugin.limt: unknown setting (did you mean limit?)"),
        (Counting, {"limit": "many"}, "plugins.plugin.limit: expected `int`, got `str`"),
        (Recorder, {"limit": 1}, "limit: the plugin takes no settings"),
        (type("Bad", (), {"on_fil": lambda self: None}), {}, "on_fil is no hook"),
    ],
)
def test_what_the_product_refuses_is_refused_with_its_text(
    plugin: type, config: dict[str, object], text: str
) -> None:
    with pytest.raises(PluginError) as caught:
        PluginHost(plugin, config)
    assert text in str(caught.value)


def test_what_a_hook_raises_fails_the_test_after_all_events_were_delivered() -> None:
    with PluginHost(Counting) as host, pytest.raises(HookError) as caught:
        host.deliver(fill(quantity=11, seq=4), fill(quantity=12, seq=5))
    assert str(caught.value) == (
        "plugin plugin: on_fill raised at event 4: ValueError: 11 is over the limit"
    )
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.__notes__ == [
        "and then plugin plugin: on_fill raised at event 5: ValueError: 12 is over the limit"
    ]
    assert host.plugin.seen[1:4] == [11, 12, 2]


def test_what_hooks_raise_can_be_collected_instead() -> None:
    with PluginHost(Counting, raises=False) as host:
        host.deliver(fill(quantity=11), fill(quantity=1))
    assert [type(error.__cause__) for error in host.errors] == [ValueError]


def raising(hook: str) -> type:
    def broken(self: object) -> None:
        raise LookupError("oh")

    return type("Broken", (), {hook: broken})


def whole_life(plugin: type) -> None:
    with PluginHost(plugin) as host:
        host.deliver(Events().error(), fill())
        host.tick()


@pytest.mark.parametrize("hook", ["on_start", "on_tick", "on_stop", "on_error", "on_batch"])
def test_a_raise_in_any_hook_surfaces(hook: str) -> None:
    with pytest.raises(HookError, match=rf"{hook} raised.*LookupError: oh"):
        whole_life(raising(hook))


def test_a_failing_test_is_not_hidden_by_what_on_stop_raises() -> None:
    with (
        pytest.raises(AssertionError, match="the test's own"),
        PluginHost(raising("on_stop")),
    ):
        raise AssertionError("the test's own")


def test_ctrl_c_in_a_hook_ends_the_test_run() -> None:
    def interrupted(self: object) -> None:
        raise KeyboardInterrupt

    plugin = type("Slow", (), {"on_tick": interrupted})
    with PluginHost(plugin) as host, pytest.raises(KeyboardInterrupt):
        host.tick()


def test_a_plugin_beside_it_gets_the_same_events_and_hears_of_its_errors(
    recorder: Recorder,
) -> None:
    with PluginHost(Counting, beside=[recorder], raises=False) as host:
        host.deliver(fill(quantity=11))
    assert recorder.hooks == [
        *("on_start", "on_fill", "on_error", "on_batch", "on_stop"),
    ]
    (call,) = recorder.of("on_error")
    assert call.arguments["error"].plugin == "plugin"
    assert call.event.kind == "fill"


def test_what_a_plugin_beside_it_raises_is_collected_alone(recorder: Recorder) -> None:
    with PluginHost(recorder, beside=[Counting(Counting.Config(limit=1))]) as host:
        host.deliver(fill(quantity=5))
    assert [error.plugin for error in host.errors] == ["beside-1"]
    (call,) = recorder.of("on_error")
    assert isinstance(call.arguments["error"], HookError)


def test_the_context_is_a_real_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with PluginHost(Counting, accounts=["main", "hedge"]) as host:
        context = host.plugin.context
        assert context is host.context
        assert context.accounts == ("main", "hedge")
        (context.state_dir / "book").write_text("kept")
        folder = context.state_dir
        with caplog.at_level(logging.INFO):
            context.logger.info("hello")
        context.stop("enough")
    assert caplog.records[-1].name == "qehost.plugin.plugin"
    assert host.stop_requests == ["enough"]
    assert not folder.exists()
    with PluginHost(Counting, state_dir=tmp_path) as host:
        (host.context.state_dir / "book").write_text("kept")
    with PluginHost(Counting, state_dir=tmp_path) as host:
        assert (host.context.state_dir / "book").read_text() == "kept"


def test_an_event_of_an_account_that_is_not_there_is_a_mistake_of_the_test() -> None:
    with PluginHost(Recorder) as host, pytest.raises(ValueError, match="account hedge"):
        host.deliver(fill(account="hedge"))


def test_a_plugin_that_is_not_running_gets_nothing() -> None:
    with pytest.raises(RuntimeError, match="with PluginHost"):
        PluginHost(Recorder).deliver(fill())


def test_a_deprecated_hook_is_a_warning_in_the_authors_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options: dict[str, Any] = hookspecs.on_tick.qehost_spec  # type: ignore[attr-defined]
    monkeypatch.setitem(options, "warn_on_impl", DeprecationWarning("on_tick goes in 0.3"))
    with pytest.warns(DeprecationWarning, match="plugin plugin: on_tick goes in 0.3"):
        PluginHost(Counting)


# --- acting ---------------------------------------------------------------------------------------


class Pausing:
    def on_start(self, context: Context) -> None:
        self.context = context

    def on_master_order(self, message: MasterOrderMessage, event: AnyEvent) -> None:
        self.context.api(event.account).pause_master_order(message.master_order_id)


def test_a_plugin_acts_on_the_local_venue(venue: Venue, plugin_host: StartPlugin) -> None:
    host = plugin_host(Pausing, accounts=["main"])
    working = next(
        update.subject
        for update in venue.step(200)
        if isinstance(update.subject, MasterOrderDetail) and update.subject.status == "PROCESSING"
    )
    host.deliver(master_order(master_order_id=working.master_order_id))
    api = host.context.api("main")
    assert api is host.context.api("main")
    assert api.master_order(working.master_order_id)["status"] == "PAUSED"
    with pytest.raises(Error, match=r"there is no account mian \(did you mean main\?\)"):
        host.context.api("mian")
    host.stop()
    with pytest.raises(Error, match="this API is closed"):
        api.ping()


def test_without_a_venue_acting_says_what_is_missing() -> None:
    with PluginHost(Pausing) as host, pytest.raises(HookError, match="use the fixture `venue`"):
        host.deliver(master_order())


def test_no_attribute_of_the_context_or_the_api_leads_to_a_credential(
    venue: Venue, plugin_host: StartPlugin
) -> None:
    host = plugin_host(Pausing)
    api = host.context.api("main")
    api.ping()
    list(api.master_order_pages())
    found = reachable((host.context, api))
    texts = [value for value in found if isinstance(value, str)]
    texts += [value.decode("latin-1") for value in found if isinstance(value, bytes)]
    assert venue.rest_url in texts
    for secret in (venue.api_key, venue.api_secret):
        assert not [text for text in texts if secret in text]
        assert secret not in repr(host.context) + repr(api)


def reachable(root: object) -> list[Any]:
    """Everything that attributes, slots and containers lead to; no closure, no frame."""
    found: list[Any] = []
    seen: set[int] = set()
    ahead = [root]
    while ahead:
        value = ahead.pop()
        if id(value) in seen or isinstance(value, type | ModuleType):
            continue
        seen.add(id(value))
        found.append(value)
        if isinstance(value, dict):
            ahead += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            ahead += value
        elif not isinstance(value, str | bytes | int | float):
            ahead += vars(value).values() if hasattr(value, "__dict__") else []
            for kind in type(value).__mro__:
                slots = getattr(kind, "__slots__", ())
                for slot in [slots] if isinstance(slots, str) else slots:
                    if hasattr(value, slot):
                        ahead.append(getattr(value, slot))
            for name in ("__self__", "func", "args", "keywords"):
                if hasattr(value, name):
                    ahead.append(getattr(value, name))
    return found


# --- the pytest plugin ----------------------------------------------------------------------------


def test_the_fixtures_start_and_stop_a_plugin(plugin_host: StartPlugin, recorder: Recorder) -> None:
    host = plugin_host(recorder)
    host.deliver(fill())
    assert recorder.hooks == ["on_start", "on_fill", "on_batch"]


def test_pytest_loads_the_fixtures_and_nothing_else_of_ours(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        "import sys\n"
        "def test_one():\n"
        "    ours = {n for n in sys.modules if n.partition('.')[0] in ('qehost', 'msgspec')}\n"
        "    assert ours <= {'qehost', 'qehost.testing', 'qehost.testing.fixtures'}, ours\n"
        "def test_two(plugin_host, recorder):\n"
        "    plugin_host(recorder)\n"
        "    assert recorder.hooks == ['on_start']\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_but_the_fixtures_works_without_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import qehost.testing as t\n"
        "for name in t.__all__: getattr(t, name)\n"
        "with t.PluginHost(t.Recorder) as host: host.deliver(*t.worked_master_order())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fil'"):
        getattr(testing, "fil")  # noqa: B009
