"""A secret prints as dots, and the redactor takes it out of every text."""

from __future__ import annotations

import copy
import gc
import json
import pickle
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from qehost import secret
from qehost.secret import Secret, redact, redact_keys, without_credentials


def test_a_secret_prints_as_dots_and_gives_its_text_only_when_asked() -> None:
    kept = Secret("hush-hush")
    assert f"{kept} {kept!r} {pretty_repr(kept)} {[kept]}".count("hush") == 0
    assert kept.reveal() == "hush-hush"
    assert kept == Secret("hush-hush") != Secret("other")
    assert {kept: 1}[Secret("hush-hush")] == 1
    assert kept
    assert not Secret("")


def test_no_attribute_or_slot_of_a_secret_leads_to_its_text() -> None:
    kept = Secret("hush-hush")
    assert not [each for each in gc.get_referents(kept) if isinstance(each, str)]
    assert not hasattr(kept, "__dict__")


def test_a_secret_that_is_copied_or_sent_to_another_process_is_known_there_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = pickle.dumps(Secret("hush-hush"))
    assert copy.deepcopy(Secret("hush-hush")) == Secret("hush-hush")
    monkeypatch.setattr(secret, "_known", {})  # as the other process begins
    assert pickle.loads(sent).reveal() == "hush-hush"
    assert redact("so hush-hush") == "so ••••"


@pytest.mark.parametrize(
    ("text", "told"),
    [("caf\u00e9", "caf\u00e9"), ("/tmp/\udcff", r"/tmp/\udcff"), ("half \ud83d", r"half \ud83d")],
)
def test_what_was_redacted_can_be_written_as_utf_8(text: str, told: str) -> None:
    assert redact(text) == told


def test_what_a_secret_was_made_of_is_redacted_from_then_on() -> None:
    assert redact("so hush-hush") == "so hush-hush"
    Secret("hush-hush")
    assert redact("so hush-hush") == "so ••••"


def test_what_is_made_anew_all_the_time_is_not_remembered() -> None:
    before = len(secret._known)
    made = Secret("signature-1", remembered=False)
    assert len(secret._known) == before
    assert redact("by signature-1", made.reveal()) == "by ••••"


def test_a_short_secret_does_not_take_ordinary_words_with_it() -> None:
    Secret("price")
    assert redact("the price") == "the price"


def test_of_a_secret_that_holds_another_nothing_is_left() -> None:
    for text in ("abcdef", "abcdefghijkl", "abcdefghi"):
        Secret(text)
    assert redact("abcdefghijkl abcdefghi") == "•••• ••••"


@given(st.text(st.characters(codec="utf-8"), min_size=6, max_size=40))
def test_a_secret_is_found_however_it_is_written(text: str) -> None:
    assume("://" not in text)
    Secret(text)
    for written in (text, repr(text), json.dumps(text), quote(text, safe=""), quote_plus(text)):
        assert "••••" in redact(f"<{written}>")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("via http://me:a%20pass@proxy:1 to b", "via http://••••@proxy:1 to b"),
        ("a pass", "••••"),
        ("http://proxy:1", "http://proxy:1"),
    ],
)
def test_of_a_proxy_s_url_the_password_is_a_secret_of_its_own(text: str, shown: str) -> None:
    Secret("http://me:a%20pass@proxy:1")
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wss://host/api/ws/v2?listen_key=0a1b&v=2", "wss://host/api/ws/v2?listen_key=••••&v=2"),
        ("GET /x?a=5&signature=ab%3D HTTP/1.1", "GET /x?a=5&signature=•••• HTTP/1.1"),
        ("'redis://me:pw@host/0'", "'redis://••••@host/0'"),
        (f"{{'signature': '{'0a' * 32}', 'a': 1}}", "{'signature': '••••', 'a': 1}"),
        (f"('signature', '{'0a' * 32}')", "('signature', '••••')"),
        (f'{{\\"signature\\":\\"{"0a" * 32}\\"}}', '{\\"signature\\":\\"••••\\"}'),
        ("signature: it must be one of hmac, rsa, ed25519 or none at all", None),
        ("accounts.main.listen_key: a value is needed", None),
        ("https://host/me@here", None),
    ],
)
def test_what_is_secret_by_its_place_needs_no_secret_to_be_made_of_it(
    text: str, shown: str | None
) -> None:
    assert redact(text) == (text if shown is None else shown)


def test_a_key_that_is_not_known_yet_is_taken_for_one() -> None:
    said = '{"listenKey": "abc", "note": "0123456789abcdef"}: THE_LISTEN_KEY_FAILED, authentication'
    assert redact_keys(said) == (
        '{"listenKey": "••••", "note": "••••"}: THE_LISTEN_KEY_FAILED, authentication'
    )


def test_an_address_is_a_url_without_what_is_secret_in_it() -> None:
    assert without_credentials("wss://me:pw@host:1/p?listen_key=x#y") == "wss://host:1/p"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("GET /x?token=abc123&a=1 failed", "GET /x?token=••••&a=1 failed"),
        ("/x?a=1&api_key=abc", "/x?a=1&api_key=••••"),
        ("?password=p%20w", "?password=••••"),
        ("set api_key=… in the settings", "set api_key=… in the settings"),
        ("listenKey=abc", "listenKey=••••"),
    ],
)
def test_what_is_secret_by_its_name_in_a_query_is_redacted(text: str, redacted: str) -> None:
    assert redact(text) == redacted
