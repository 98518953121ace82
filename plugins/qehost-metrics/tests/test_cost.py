"""What 10,000 series cost a scrape."""

import time

from msgspec.structs import replace
from qehost.testing import Events, PluginHost

from qehost_metrics import Metrics

ACCOUNTS = [f"account-{number}" for number in range(20)]
STATUSES = ("PLACED", "FILLED", "CANCELLED", "REJECTED", "Cancelack", "CANCEL_REJECTED")
SCRAPES = 7
LIMIT = 0.020
"""Seconds of CPU time: the least of some scrapes, since a busy machine adds to the others."""


def test_ten_thousand_series_cost_less_than_20_ms_in_both_forms():
    make = Events()
    events = []
    for number in range(50):
        symbol = f"S{number}USDT"
        events += [
            make.order(id=f"{number}-{status}", order_id="o", status=status, symbol=symbol)
            for status in STATUSES
        ]
        events += [make.fill(id="f", side=side, symbol=symbol) for side in ("buy", "sell")]
    with PluginHost(Metrics, {"port": 0}, accounts=ACCOUNTS) as host:
        for account in ACCOUNTS:
            host.plugin.on_batch([replace(event, account=account) for event in events])
        for accept in ("text/plain", "application/openmetrics-text;version=1.0.0"):
            costs = []
            for _ in range(SCRAPES):
                begun = time.thread_time()
                answer = host.plugin._metrics(accept)
                costs.append(time.thread_time() - begun)
            assert answer.body.count(b"\n") > 10_000
            assert min(costs) < LIMIT, accept
