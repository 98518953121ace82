"""Names that are one, and the nearest of those that are known."""

from __future__ import annotations

import pytest

from qehost.config.suggest import canonical, suggestion


@pytest.mark.parametrize("name", ["My_Plugin", "my.plugin", "my-plugin", "MY--_.plugin"])
def test_names_are_compared_as_pip_compares_them(name: str) -> None:
    assert canonical(name) == "my-plugin"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("on_fil", " (did you mean on_fill?)"),
        ("ON-FILLS", " (did you mean on_fill?)"),
        ("xyzzy", ""),
    ],
)
def test_the_nearest_name_is_suggested_if_one_is_near(name: str, told: str) -> None:
    assert suggestion(name, ["on_fill", "on_stop"]) == told


def test_where_nothing_is_known_nothing_is_suggested() -> None:
    assert suggestion("on_fill", []) == ""
