"""The calls of some plugins, in calling order."""

from __future__ import annotations

from qehost.host.arguments import NAMES
from qehost.host.call_table import CallTable, Implementation, freeze

ON_STATUS = NAMES.index("on_status")
PLUGINS = ["a", "b", "c"]


def table(*plugins: int) -> CallTable:
    found = [Implementation(name, lambda: None, ()) for name in PLUGINS]
    calls = freeze({"on_status": found}, PLUGINS, [[0] for _ in PLUGINS])
    return CallTable(calls, plugins, ())


def called(table: CallTable) -> list[int]:
    return [plugin for _, _, plugin, _ in table.calls[ON_STATUS]]


def test_a_table_has_the_calls_of_its_plugins_and_keeps_their_order() -> None:
    some = table(2, 0)
    assert called(some) == [0, 2]
    assert (0 in some, 1 in some) == (True, False)
    some.add(1)
    assert called(some) == [0, 1, 2]


def test_who_is_taken_out_gets_no_call_of_a_loop_that_goes_on() -> None:
    some = table(0, 1)
    calls = some.calls
    some.remove(0)
    assert some.calls is calls
    assert called(some) == [1]
    some.remove(0)
    assert called(some) == [1]


def test_a_table_without_some_leaves_the_first_as_it_was() -> None:
    some = table(0, 1, 2)
    assert called(some.without({1})) == [0, 2]
    assert called(some) == [0, 1, 2]


def test_each_function_gets_the_arguments_that_it_wants_in_its_order() -> None:
    def values(*arguments: str) -> tuple[object, ...]:
        found = {"on_status": [Implementation("a", lambda: None, arguments)]}
        ((_, select, _, _),) = freeze(found, ["a"], [[0]])[ON_STATUS]
        return select(("text", "event"))

    assert values() == ()
    assert values("event") == ("event",)
    assert values("event", "status") == ("event", "text")
