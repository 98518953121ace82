"""The client has all that the venue's own has: names, parameters, addresses.

The facts stand in `venue_client.json`, so that the venue's client need not be installed.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path

import pytest

import qehost
from qehost.rest import API

FACTS = json.loads(Path(__file__).with_name("venue_client.json").read_text(encoding="utf-8"))
METHODS = FACTS["methods"]
CALLS = {name: fact for name, fact in METHODS.items() if fact["of"] != "Status"}

# A value that each parameter may have.
VALUES = {
    **dict.fromkeys(("page", "pageSize", "recvWindow"), 7),
    **dict.fromkeys(("startTime", "endTime", "startTimeMs"), 1735372000000),
    **dict.fromkeys(("povLimit", "povMinLimit", "makerRateLimit", "upTolerance"), "0.25"),
    **dict.fromkeys(("lowTolerance", "worstPrice", "totalQuantity", "triggerPrice"), "0.5"),
    **dict.fromkeys(("triggerPrice1", "limitPrice", "limitPriceString"), "0.5"),
    **dict.fromkeys(("reduceOnly", "isMargin", "mustComplete", "strictUpBound"), True),
    **dict.fromkeys(("tailOrderProtection", "enableMake", "isTargetPosition", "isCoin"), False),
    **dict.fromkeys(("executionDurationSeconds", "executionDuration"), 60),
    "maxTriggerWaitSecs": 2.5,
    "maxTriggerWaitTimeoutAction": 10,
    "marketType": "PERP",
}


def signature(function):
    """As the facts have it: names, `=` behind those with a default, `*` and `**`."""
    told = []
    for each in list(inspect.signature(function).parameters.values())[1:]:
        if each.kind is each.VAR_KEYWORD:
            told.append("**")
        elif each.kind is each.KEYWORD_ONLY and "*" not in told:
            told += ["*", f"{each.name}="]
        else:
            told.append(each.name + ("" if each.default is each.empty else "="))
    return ", ".join(told)


def told(value):
    return value if isinstance(value, str) else json.dumps(value).strip('"')


@pytest.mark.parametrize("name", [*FACTS["general"], *METHODS])
def test_every_method_has_the_venue_s_parameters(name):
    expected = FACTS["general"].get(name) or METHODS.get(name, {}).get("signature", "")
    assert signature(getattr(API, name)) == expected


def test_the_constructor_has_the_venue_s_parameters():
    assert list(inspect.signature(API).parameters)[:10] == FACTS["constructor"].split(", ")


@pytest.mark.parametrize("name", CALLS)
def test_every_method_sends_what_the_venue_s_client_sends(venue, api, name):
    fact = CALLS[name]
    venue.answers = [venue.result({})]
    getattr(api, name)(**fact["given"])
    (request,) = venue.requests
    query = {k: v for k, v in request.fields.items() if k not in ("timestamp", "signature")}
    assert f"{request.method} {request.path}" == fact["call"]
    assert ("signature" in request.fields) == fact["signed"]
    # V1 writes its booleans as Python does.
    assert query == {k: str(v) for k, v in fact["query"].items()}
    assert json.loads(request.body or b"{}") == fact["body"]


@pytest.mark.parametrize("name", CALLS)
def test_every_parameter_reaches_the_venue_under_its_name(venue, api, name):
    fact = CALLS[name]
    names = [each for each in fact["parameters"].split() if each != "orderNotional"]
    if "_v2" in name:
        names = [each for each in names if not each.startswith("limitPrice")]
    given = {**fact["given"], **{each: VALUES.get(each, "text") for each in names}}
    venue.answers = [venue.result({})]
    getattr(api, name)(**given)
    sent = {**venue.requests[0].fields, **json.loads(venue.requests[0].body or b"{}")}
    assert {each: told(sent[each]).lower() for each in names} == {
        each: told(given[each]).lower() for each in names
    }


@pytest.mark.parametrize("name", FACTS["types"])
def test_every_dataclass_has_the_venue_s_fields(name):
    fields = dataclasses.fields(getattr(qehost, name))
    assert [each.name for each in fields] == FACTS["types"][name].split()


@pytest.mark.parametrize("name", FACTS["enums"])
def test_every_enum_has_the_venue_s_values(name):
    members = getattr(qehost, name).__members__
    assert {key: member.value for key, member in members.items()} == FACTS["enums"][name]
