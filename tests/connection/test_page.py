"""What docs/connection.md says is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from qehost.connection import catch_up, recovery
from qehost.connection.session import PROOF, TRIMMED
from qehost.host.arguments import HOOKS
from qehost.messages import Connected, Disconnected
from qehost.rest.parameters import MAX_PAGE_SIZE
from qehost.settings import AccountSettings, ConnectionSettings

PAGE = (Path(__file__).parents[2] / "docs" / "connection.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
DEFAULTS = ConnectionSettings()


@pytest.mark.parametrize(
    "claim",
    [
        f"`reconnect_delay` ({DEFAULTS.reconnect_delay:g} s)",
        f"`reconnect_max_delay` ({DEFAULTS.reconnect_max_delay:g} s)",
        f"every `ping_interval` ({DEFAULTS.ping_interval:g} s)",
        f"than the others: {DEFAULTS.ping_interval + DEFAULTS.pong_timeout:g} s by default",
        f"**{catch_up.MAX_PAGES * MAX_PAGE_SIZE:,} objects** of each list",
        f"**{recovery.LONGEST_GAP // 86_400} days** back",
        f"({catch_up.FIRST_DELAY:g} s to {catch_up.MAX_DELAY / 60:g} min apart",
        f"{catch_up.ORDER_LIFE / 60:g} minutes before the gap",
        f"of ended master orders, {catch_up.MASTER_ORDER_LIFE / 86_400:g} days",
    ],
)
def test_each_figure_is_the_codes(claim):
    assert claim in TEXT


def test_figures_in_words_are_the_codes_too():
    assert (TRIMMED, PROOF) == (0.1, 10.0)
    assert "from a tenth to the whole of a ceiling" in TEXT
    assert "or for ten seconds" in TEXT
    assert recovery.SECOND_LOOK == 5.0
    assert "A second look follows five seconds later" in TEXT
    assert catch_up.OVERLAP == 60.0
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
