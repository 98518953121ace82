"""The hooks by number, and the parameters of a function without its annotations."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qehost.host.arguments import HOOKS, NAMES, parameters
from qehost.host.discovery import find
from qehost.host.loading import load

DEFERRED = pytest.param(
    "",
    id="deferred",
    marks=pytest.mark.skipif(
        sys.version_info < (3, 14), reason="annotations are evaluated before Python 3.14"
    ),
)
POSTPONED = pytest.param("from __future__ import annotations", id="postponed")
PLUGIN = """
{}
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nowhere import Nothing

def on_fill(message: Nothing, detail: Nothing.inner = None) -> Nothing: ...
"""


@pytest.mark.parametrize("header", [POSTPONED, DEFERRED])
def test_annotations_that_cannot_be_evaluated_keep_no_plugin_out(
    write: Callable[..., Path], header: str
) -> None:
    write("typed", PLUGIN.format(header))
    plugins = load(find(["typed"]))
    assert [report.state for report in plugins.reports] == ["loaded"]
    (implementation,) = plugins.implementations["on_fill"]
    assert implementation.arguments == ("message", "detail")


def test_the_parameters_of_a_decorated_method_are_those_of_the_method() -> None:
    from functools import wraps

    class Plugin:
        def on_tick(self, now: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    method = Plugin().on_tick

    @wraps(method)
    def decorated(*_: object) -> None: ...

    assert list(parameters(method)) == list(parameters(decorated)) == ["now"]


def test_every_hook_has_the_number_of_its_place_in_hookspecs() -> None:
    assert tuple(HOOKS) == NAMES
    assert NAMES[0] == "on_start"
    assert HOOKS["on_fill"] == ("message", "detail", "event")
