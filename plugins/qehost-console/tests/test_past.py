import itertools

import pytest
from qehost.errors import JournalError

from qehost_console import Console
from qehost_console.board import Board
from qehost_console.past import read_past

START = 1_764_036_000_000  # epoch ms


@pytest.fixture
def started(monkeypatch, plugin_host):
    def start(history, accounts=("main",)):
        return plugin_host(
            Console, {"style": "lines"}, name="console", history=history, accounts=accounts
        )

    return start


def test_after_a_start_all_working_orders_are_there(started, tell):
    history = [tell.connected(), *(tell.master(id=f"mo_{n}", filled="1")[2] for n in range(12))]
    history += [tell.fill(master="mo_3")[2], tell.master(id="mo_5", status="COMPLETED")[2]]
    shown = started(history).plugin._board.snapshot()
    assert {master.id for master in shown.running} == {f"mo_{n}" for n in range(12)} - {"mo_5"}
    assert [master.id for master in shown.ended] == ["mo_5"]
    assert [fill.master_id for fill in shown.fills] == ["mo_3"]
    assert shown.streams["main"].state == "up"


def test_what_was_before_is_in_no_sum_of_the_run(started, tell, capsys):
    host = started([tell.connected(), tell.fill()[2]])
    host.deliver(tell.fill()[2])
    host.stop("stopped by SIGTERM")
    summary = capsys.readouterr().out
    assert "0 opened" in summary
    assert "BTCUSDT perp      1     0.1 " in summary


def test_what_comes_after_goes_on_where_the_past_ends(started, tell):
    orders = [tell.master(status=status)[2] for status in ("NEW", "PROCESSING", "PAUSED")]
    host = started(orders[:2])
    host.deliver(*orders[1:])
    (master,) = host.plugin._board.snapshot().running
    assert master.status == "PAUSED"


class History:
    """A journal without end, and how much of it was read."""

    accounts = ("main",)
    read = 0

    def __init__(self, event):
        self._event = event

    def history(self, account, after_seq=None, newest_first=False):
        if after_seq is not None:
            return
        for _ in itertools.count():
            self.read += 1
            yield self._event


def test_a_long_past_does_not_make_the_start_long(tell):
    context = History(tell.fill()[2])
    read_past(context, Board(), itertools.count().__next__)
    assert context.read == 4


def test_a_journal_that_can_not_be_read_is_told_and_the_console_starts(started, tell, caplog):
    class Broken(History):
        logger = started([]).context.logger

        def history(self, account, **_):
            raise JournalError("journal", "permission denied")

    read_past(Broken(None), Board(), itertools.count().__next__)
    assert "what was before is not shown: journal journal: permission denied" in caplog.text
