from qehost_console.totals import RunTotals

START = 1_764_036_000_000  # epoch ms


def test_time_without_a_stream_counts_between_two_connections_of_the_run(tell):
    totals = RunTotals()
    totals.connected(tell.connected(at=START))
    totals.disconnected(tell.disconnected(at=START + 100))
    totals.disconnected(tell.disconnected(at=START + 140))
    assert totals.disconnected_ns == 0
    totals.connected(tell.connected(at=START + 150))
    assert (totals.opened, totals.reconnects, totals.disconnected_ns) == (2, 1, 50_000_000)


def test_the_streams_of_two_accounts_are_no_reconnects_of_each_other(tell):
    totals = RunTotals()
    for account in ("main", "hedge"):
        totals.connected(tell.connected(account=account))
    assert (totals.opened, totals.reconnects) == (2, 0)
