"""Exchange accounts, over a real socket."""

from __future__ import annotations

import inspect

from qehost.rest import API


def test_a_balance_is_asked_for_by_the_account_it_is_of(venue, api):
    venue.answers = [venue.result({"balances": []}), venue.result({"data": []})]
    assert api.get_account_balance("B-1", recvWindow=9) == {"balances": []}
    assert api.get_ltp_position(binding_id="B-2", sym="BTCUSDT") == {"data": []}
    first, second = venue.requests
    assert (first.method, first.path) == ("GET", "/user/exchange-apis/account-balance")
    assert (first.fields["bindingId"], first.fields["recvWindow"]) == ("B-1", "9")
    assert (second.fields["bindingId"], second.fields["sym"]) == ("B-2", "BTCUSDT")


def test_each_method_has_its_name_and_says_what_it_reads():
    for name, method in inspect.getmembers(API, inspect.isfunction):
        if name.startswith("get_") and "binding_id" in inspect.signature(method).parameters:
            assert method.__name__ == name
            assert method.__doc__
