"""The constructor, and what needs no signature."""

from __future__ import annotations

import inspect
from traceback import TracebackException

import pytest

from qehost.errors import (
    Error,
    ParameterArgumentError,
    ParameterRequiredError,
    ParameterValueError,
)
from qehost.rest import API
from qehost.rest.api import credentials_of
from qehost.secret import Secret


def test_the_constructor_is_the_documented_one():
    parameters = list(inspect.signature(API).parameters.values())
    documented = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert documented == [
        "api_key",
        "api_secret",
        "base_url",
        "timeout",
        "proxies",
        "show_limit_usage",
        "show_header",
        "time_unit",
        "private_key",
        "private_key_pass",
    ]
    assert API().base_url == "https://api.quantumexecute.com"
    assert not API().has_credentials


def test_the_repr_shows_the_address_and_nothing_else():
    api = API("key-key-key", "secret-secret", "https://me:pass@example.com/strategy-api")
    assert repr(api) == "API(base_url='https://example.com/strategy-api')"


@pytest.mark.parametrize(
    "arguments",
    [
        {"base_url": "example.com"},
        {"base_url": "wss://example.com"},
        {"timeout": 0},
        {"time_unit": "hour"},
        {"proxy": "gopher://example.com"},
        {"api_key": "key\n", "api_secret": "s"},
    ],
)
def test_what_can_not_be_used_is_refused_at_once(arguments):
    with pytest.raises((ParameterArgumentError, ParameterValueError)) as caught:
        API(**arguments)
    assert "key\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"api_key": "the-key\n"},
        {"base_url": "example.com"},
        {"timeout": 0},
        {"proxy": "gopher://me:the-secret@p"},
        {"private_key": "-----BEGIN the-secret", "private_key_pass": "the-secret"},
    ],
)
def test_a_traceback_with_locals_of_a_constructor_that_raised_shows_no_secret(arguments):
    given = {"api_key": "the-key", "api_secret": "the-secret", **arguments}
    with pytest.raises(Error) as caught:
        API(**given)
    traceback = caught.value.__traceback__.tb_next  # without the frame of this test
    shown = TracebackException(caught.type, caught.value, traceback, capture_locals=True)
    text = "".join(shown.format())
    assert "the-key" not in text
    assert "the-secret" not in text
    assert repr(API.__new__(API)) == "API(base_url='')"


def test_without_credentials_a_signed_call_is_refused_here(venue):
    with pytest.raises(ParameterRequiredError, match="api_key"):
        API(base_url=venue.url).list_master_orders_v2()
    assert venue.requests == []


def test_public_calls_are_not_signed(venue, api):
    venue.answers = [venue.reply("")]
    assert api.ping() is None
    assert api.timestamp() == 1_735_372_000_000
    assert venue.requests[0].path == "/ping"
    assert venue.requests[0].query == ""


def test_a_prefix_of_the_address_is_kept(venue):
    api = API(base_url=venue.url + "/strategy-api/")
    venue.answers = [venue.reply("")]
    api.ping()
    assert venue.requests[0].path == "/strategy-api/ping"


def test_the_time_unit_is_sent_along(venue):
    venue.answers = [venue.reply("")]
    API(base_url=venue.url, time_unit="MICROSECOND").ping()
    assert venue.requests[0].headers["x-mbx-time-unit"] == "MICROSECOND"


def test_the_timeout_may_be_set(venue):
    api = API(base_url=venue.url, timeout=5)
    api.timeout = 0.2
    assert api.timeout == 0.2
    with pytest.raises(ParameterArgumentError, match="timeout"):
        api.timeout = 0
    venue.answers = ["hang"] * 3
    with pytest.raises(Error, match=r"within 0\.2 s"):
        api.ping()


def test_a_secret_may_be_given_as_one_and_is_found_again():
    api = API(Secret("the-key"), Secret("the-secret"), proxy=Secret("none"))
    found = credentials_of(api)
    assert (found.api_key, found.api_secret) == (Secret("the-key"), Secret("the-secret"))
    assert found.rest_url == "https://api.quantumexecute.com"


def test_credentials_are_also_found_in_another_library_s_client():
    class Client:
        api_key = "the-key"
        private_key = b"the-pem"
        base_url = None

    found = credentials_of(Client())
    assert found.api_key == Secret("the-key")
    assert found.private_key == Secret("the-pem")
    assert (found.api_secret, found.rest_url) == (None, "")
