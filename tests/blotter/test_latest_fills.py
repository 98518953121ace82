from __future__ import annotations

from itertools import permutations

from msgspec.structs import replace

from qehost.blotter import Blotter, Fill
from qehost.blotter.latest_fills import LatestFills
from qehost.testing import Events


def made(seq: int, account: str = "main") -> Fill:
    fill = Blotter().add(Events().fill()).fill
    assert fill is not None
    return replace(fill, seq=seq, account=account)


def add(fills: LatestFills, fill: Fill) -> bool:
    return fills.add(fill.seq, fill)


def kept(fills: LatestFills) -> list[int]:
    return [fill.seq for fill in reversed(fills)][::-1]


def test_the_latest_are_kept_each_once_in_any_order() -> None:
    for order in permutations([made(1), made(2), made(3), made(4), made(3)]):
        fills = LatestFills(4)
        for fill in order:
            add(fills, fill)
        assert kept(fills) == [1, 2, 3, 4]


def test_the_oldest_goes_first() -> None:
    fills = LatestFills(2)
    assert [add(fills, made(seq)) for seq in (1, 2, 3)] == [True, True, True]
    assert kept(fills) == [2, 3]
    assert not add(fills, made(3))
    add(fills, made(1))
    assert kept(fills) == [2, 3]


def test_the_numbers_of_two_accounts_have_nothing_to_do_with_each_other() -> None:
    fills = LatestFills(4)
    for fill in (made(7, "a"), made(1, "b"), made(8, "a"), made(2, "b")):
        assert add(fills, fill)
    assert [(fill.account, fill.seq) for fill in reversed(fills)] == [
        ("b", 2),
        ("a", 8),
        ("b", 1),
        ("a", 7),
    ]
