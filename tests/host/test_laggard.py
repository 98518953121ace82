"""One plugin apart: what it has had is not called again, and it never passes the head."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from limits import unopenable
from plugin_bench import Call, PluginBench

from qehost.errors import Retry
from qehost.host.laggard import OwnConsumer
from qehost.storage.cursor_file import own_key


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[PluginBench]:
    bench = PluginBench(tmp_path, {"sink": ["on_status", "on_batch"], "view": ["on_status"]})

    def react(call: Call) -> None:
        if call[:3] == ("sink", "on_status", 3) and call[3] == 1:
            raise Retry(1)

    bench.react = react
    bench.receive(1, 2)
    bench.receive(3, 4)
    yield bench
    bench.close()


def own(bench: PluginBench) -> OwnConsumer:
    return bench.apart.laggards["sink"].own["main"]


def test_it_stands_where_not_all_hooks_had_returned(bench: PluginBench) -> None:
    assert own(bench).position.cursor == 2
    assert bench.heads["main"].position.cursor == 4
    assert bench.cursors.cursor(own_key("sink", "main")) == 2
    assert own(bench).due(0.0) is not None


def test_it_reads_the_journal_up_to_the_head_and_not_beyond(bench: PluginBench) -> None:
    bench.journal_has([5, 6])
    consumer = own(bench)
    while consumer.due(0.0) is not None:
        assert consumer.step()
    assert consumer.position.cursor == 4
    assert bench.seqs("sink") == [1, 2, 3, 3, 4]
    assert bench.seqs("sink", "on_batch") == [1, 2, 3, 4]


def test_a_journal_that_cannot_be_read_now_is_no_gap(bench: PluginBench) -> None:

    with unopenable(bench.folder / "main"):
        bench.pass_time(steps=3)
        assert bench.seqs("sink") == [1, 2, 3]
        assert (due := bench.apart.due(0.0)) is not None
        assert due > 0
    own(bench).delivery.due = 0.0
    bench.settle()
    assert bench.seqs("sink") == [1, 2, 3, 3, 4]
    assert not bench.apart.laggards
