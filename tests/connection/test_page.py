"""What docs/connection.md says is so."""

from __future__ import annotations

import ast
import random
import re
from pathlib import Path

import pytest

from qehost.config.settings import AccountSettings, ConnectionSettings
from qehost.connection import baseline, catch_up, recovery, stream_client, window_reader
from qehost.connection.state_machine import PROOF
from qehost.host.arguments import HOOKS
from qehost.messages import Connected, Disconnected
from qehost.network.backoff import THROTTLED, Backoff, Pace
from qehost.rest.checks import MAX_PAGE_SIZE

PAGE = (Path(__file__).parents[2] / "docs" / "connection.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
DEFAULTS = ConnectionSettings()


@pytest.mark.parametrize(
    "claim",
    [
        f"`reconnect_delay` ({DEFAULTS.reconnect_delay:g} s)",
        f"`reconnect_max_delay` ({DEFAULTS.reconnect_max_delay:g} s)",
        f"`connect_timeout` ({DEFAULTS.connect_timeout:g} s)",
        f"every `ping_interval` ({DEFAULTS.ping_interval:g} s)",
        f"after `mute_after` ({DEFAULTS.mute_after:g} s) without a message",
        f"{4 * 86_400 / DEFAULTS.mute_after:,.0f} a day at the most",
        f"and {DEFAULTS.reconnect_max_delay:g} s at the most",
        f"than the others: {DEFAULTS.ping_interval + DEFAULTS.pong_timeout:g} s by default",
        f"**{catch_up.MAX_PAGES * MAX_PAGE_SIZE:,} objects** of each list",
        f"**{recovery.LONGEST_GAP // 86_400} days** back",
        f"({catch_up.FAILED.first / 2:g} s to {catch_up.FAILED.longest / 60:g} min apart",
        f"{window_reader.ORDER_LIFE / 60:g} minutes before the gap",
        f"{window_reader.ASKED_AT_MOST} pages at most",
        f"has an open one: {baseline.MOST_PAGES} pages at most",
        f"({baseline.FAILED.first / 2:g} s to {baseline.FAILED.longest / 60:g} min apart) for the",
        f"of ended master orders, {window_reader.MASTER_ORDER_LIFE / 86_400:g} days",
    ],
)
def test_each_figure_is_the_codes(claim):
    assert claim in TEXT


class Least(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return a


def test_figures_in_words_are_the_codes_too():
    assert Backoff(Pace(5, 5), Least()).failed() == 2.5
    assert "from the upper half of a ceiling" in TEXT
    assert PROOF == 4.0
    assert "by being open for four seconds" in TEXT
    assert (THROTTLED.first / 2, THROTTLED.longest / 60) == (10, 5)
    assert "not for 10 s at least, and ever longer, up to 5 min" in TEXT
    assert recovery.SECOND_LOOK == 5.0
    assert "A second look follows five seconds later" in TEXT
    assert stream_client.BASELINE_WITHIN == 10.0
    assert "the stream is opened after ten seconds all the same" in TEXT
    assert window_reader.OVERLAP == 60.0
    assert "from a minute before the gap on" in TEXT


def test_every_setting_of_the_connection_and_every_field_of_its_events_is_named():
    named = set(re.findall(r"`([a-z_]+)", PAGE))
    assert set(ConnectionSettings.__struct_fields__) <= named
    assert {"proxy", "ca_file", "client_cert", "client_key"} <= named
    assert set(AccountSettings.__struct_fields__) >= {"proxy", "ca_file", "client_cert"}
    for message in (Connected, Disconnected):
        assert set(message.__struct_fields__) <= named


def test_its_code_is_made_of_hooks():
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    functions = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    assert functions
    for function in functions:
        assert {argument.arg for argument in function.args.args} <= set(HOOKS[function.name])
