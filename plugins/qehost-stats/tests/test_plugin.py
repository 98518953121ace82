"""What the log says, and that it costs the host no event."""

import logging
import time

import pytest
from qehost.errors import PluginError
from qehost.testing import Events, PluginHost, worked_master_order

from qehost_stats import Stats


def today(ident="mo-1", **fields):
    now = int(time.time() * 1000) // 86_400_000 * 86_400_000 + 1000
    events = Events(start_ms=now, step_ms=10)
    return worked_master_order(events=events, master_order_id=ident, start_time_ms=now, **fields)


def lines(caplog):
    return [r.message for r in caplog.records if r.message.startswith("execution quality")]


def wait_for(condition):
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_no_hook_of_it_is_called_with_events():
    with PluginHost(Stats) as host:
        assert set(host.hooks) == {"on_start", "on_tick", "on_stop"}


def test_at_the_end_the_day_is_in_the_log(caplog):
    caplog.set_level(logging.INFO)
    with PluginHost(Stats, {"every": 0}, history=today()) as host:
        host.stop("stopped")
    (line,) = lines(caplog)
    assert "USDT: 1 master orders ended, 0 running; 6 fills, 145,500.15 traded" in line
    assert "cost 0.00 bps" in line


def test_at_an_interval_it_reads_on_and_tells_the_day_so_far(caplog):
    caplog.set_level(logging.INFO)
    with PluginHost(Stats, {"every": 60, "at_end": False}, history=today()) as host:
        host.tick(time.time() + 61)
        wait_for(lambda: len(lines(caplog)) == 1)
        first = len(today())
        more = today("mo-2")
        host.deliver(*(type(e)(**renumbered(e, first)) for e in more))
        host.tick(time.time() + 200)
        wait_for(lambda: len(lines(caplog)) == 2)
    assert "1 master orders ended" in lines(caplog)[0]
    assert "2 master orders ended" in lines(caplog)[1]


def renumbered(event, after):
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return {**fields, "seq": event.seq + after}


def test_what_is_left_out_is_told(caplog):
    caplog.set_level(logging.INFO)
    with PluginHost(Stats, {"every": 0}, history=today(is_target_position=True)) as host:
        host.stop("stopped")
    (line,) = lines(caplog)
    assert "left out of the sums: 1 target position" in line


def test_a_day_without_orders_is_told_as_such(caplog):
    caplog.set_level(logging.INFO)
    with PluginHost(Stats, {"every": 0}) as host:
        host.stop("stopped")
    assert "no master orders" in lines(caplog)[0]


def test_nothing_at_the_end_if_not_wanted(caplog):
    caplog.set_level(logging.INFO)
    with PluginHost(Stats, {"every": 0, "at_end": False}, history=today()) as host:
        host.stop("stopped")
    assert lines(caplog) == []


@pytest.mark.parametrize(
    ("setting", "value"), [("every", -1), ("every", "often"), ("at_end", 3), ("evry", 5)]
)
def test_settings_that_are_wrong_are_refused_with_their_name(setting, value):
    with pytest.raises(PluginError, match=setting):
        PluginHost(Stats, {setting: value})


def test_a_real_run_tells_the_day_while_it_runs_and_at_its_end(journal):
    log = (journal / "log").read_text()
    assert log.count("execution quality of") >= 2
    assert "Traceback" not in log
