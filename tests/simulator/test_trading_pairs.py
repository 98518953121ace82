"""What can be traded, for everybody to read."""

from __future__ import annotations

from typing import Any

import pytest


def pairs(client: Any, path: str, **params: Any) -> Any:
    """Without a key and without a signature."""
    reply = client.pool.request("GET", f"{client.venue.rest_url}{path}", fields=params)
    return reply.json()["message"]


def test_v2_gives_all_at_once_and_v1_page_by_page(client: Any) -> None:
    everything = pairs(client, "/pub/v2/trading-pairs")
    first = pairs(client, "/pub/trading-pairs", pageSize=5, page=2)
    assert everything.keys() == {"items"}
    assert (first["total"], first["page"], first["pageSize"]) == (len(everything["items"]), 2, 5)
    assert [each["symbol"] for each in first["items"]] == [
        each["symbol"] for each in everything["items"][5:10]
    ]
    assert {"id", "createdAt", "deliveryDate"} <= first["items"][0].keys()


@pytest.mark.parametrize("path", ["/pub/trading-pairs", "/strategy-api/pub/v2/trading-pairs"])
def test_they_are_chosen_by_exchange_market_and_margin(client: Any, path: str) -> None:
    found = pairs(client, path, exchange="Bitget", marketType="PERP", isCoin="True")["items"]
    assert [each["symbol"] for each in found] == ["BTCUSD_CM", "ETHUSD_CM"]
    spot = pairs(client, path, exchange="OKX", marketType="SPOT")["items"]
    assert {each["marketType"] for each in spot} == {"SPOT"}
    assert "BTCUSDT" in [each["symbol"] for each in spot]
