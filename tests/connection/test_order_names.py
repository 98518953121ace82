"""How many orders an error names."""

from __future__ import annotations

import pytest

from qehost.connection.order_names import name_some


@pytest.mark.parametrize(
    ("count", "end"), [(1, "mo-0"), (10, "mo-9"), (11, "mo-9 and 1 more"), (99, "mo-9 and 89 more")]
)
def test_ten_are_named_and_the_others_counted(count: int, end: str) -> None:
    text = name_some([f"mo-{number}" for number in range(count)])
    assert text.startswith("mo-0")
    assert text.endswith(end)
    assert text.count("mo-") == min(count, 10)
