"""The string to sign, and the signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from decimal import Decimal
from urllib.parse import parse_qsl, quote_plus

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from qehost.errors import ParameterArgumentError, ParameterTypeError, ParameterValueError
from qehost.rest.signing import (
    body_text,
    form_encode,
    hmac_signer,
    key_signer,
    plain_number,
    string_to_sign,
)
from qehost.secret import Secret

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), min_size=1, max_size=12)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=20),
    st.decimals(allow_nan=False, allow_infinity=False, places=8),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=10)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
BODIES = st.dictionaries(
    NAMES, SCALARS | st.lists(JSON, max_size=3) | st.dictionaries(st.text(max_size=5), JSON)
)
QUERIES = st.dictionaries(NAMES, st.none() | st.integers() | st.text(max_size=20))


def by_hand(query: dict[str, object], body: dict[str, object]) -> str:
    """The protocol's section 3, once more and as plainly as possible."""
    fields: dict[str, str] = {}
    for name, value in query.items():
        if value is not None:
            fields[name] = str(value)
    for name, value in body.items():
        if value is None or name.lower() == "signature":
            continue
        if value is True:
            fields[name] = "true"
        elif value is False:
            fields[name] = "false"
        elif isinstance(value, str):
            fields[name] = value
        elif isinstance(value, Decimal):
            fields[name] = f"{value:f}"
        elif isinstance(value, int):
            fields[name] = str(value)
        else:
            fields[name] = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return "&".join(
        (quote_plus(name) + "=" + quote_plus(fields[name])).replace("%40", "@")
        for name in sorted(fields)
    )


def test_the_worked_example_of_the_protocol():
    assert string_to_sign(
        {"timestamp": "1735372000000"},
        {"masterOrderIds": ["mo_001", "mo_002"], "reason": "risk_limit_breach"},
    ) == (
        "masterOrderIds=%5B%22mo_001%22%2C%22mo_002%22%5D&reason=risk_limit_breach"
        "&timestamp=1735372000000"
    )


@given(QUERIES, BODIES)
def test_the_string_to_sign_is_what_the_protocol_says(query, body):
    assert string_to_sign(query, body) == by_hand(query, body)


@given(QUERIES)
def test_without_a_body_the_query_itself_is_signed(query):
    assert string_to_sign(query) == form_encode(query)
    present = {name: str(value) for name, value in query.items() if value is not None}
    assert dict(parse_qsl(form_encode(query), keep_blank_values=True)) == present


@given(BODIES)
def test_the_body_that_is_sent_holds_what_was_signed(body):
    sent = json.loads(body_text(body))
    names = {name for name, value in body.items() if value is not None}
    assert sent.keys() == names
    signed = dict(parse_qsl(string_to_sign({}, sent), keep_blank_values=True))
    assert signed == dict(parse_qsl(string_to_sign({}, body), keep_blank_values=True))


def test_an_at_sign_stays_as_it_is():
    assert form_encode({"q": "a@b c"}) == "q=a@b+c"


@given(st.floats(allow_nan=False, allow_infinity=False) | st.decimals(-(10**18), 10**18))
def test_numbers_are_written_plainly_and_exactly(number):
    text = plain_number(number)
    assert "e" not in text.lower()
    assert type(number)(text) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, "0.1"),
        (100.0, "100"),
        (1e-8, "0.00000001"),
        (-0.5, "-0.5"),
        (1e22, "10000000000000000000000"),
        (Decimal("1E-8"), "0.00000001"),
        (Decimal("0.10000000"), "0.10000000"),
        (123456789012345678901, "123456789012345678901"),
    ],
)
def test_how_numbers_look(number, text):
    assert plain_number(number) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN")])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ParameterValueError):
        string_to_sign({}, {"price": value})


@pytest.mark.parametrize("value", [[float("nan")], {"a": object()}])
def test_what_json_has_no_word_for_is_refused(value):
    with pytest.raises(ParameterArgumentError):
        body_text({"field": value})


def test_a_field_of_an_unknown_type_is_refused_by_name():
    with pytest.raises(ParameterTypeError, match="field"):
        string_to_sign({}, {"field": object()})


@given(st.text(), st.text())
def test_hmac_is_sha256_in_hex(secret, text):
    expected = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert hmac_signer(Secret(secret))(text) == expected


# --- private keys ------------------------------------------------------------------------------


def pem_of(key, passphrase=None, form=serialization.PrivateFormat.PKCS8):
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def signer(pem, passphrase=None):
    return key_signer(Secret(pem), Secret(passphrase) if passphrase else None)


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("passphrase", [None, "open sesame"])
def test_an_rsa_key_signs_with_pkcs1_and_sha256(rsa_key, passphrase):
    signature = signer(pem_of(rsa_key, passphrase), passphrase)("timestamp=1")
    rsa_key.public_key().verify(
        base64.b64decode(signature, validate=True),
        b"timestamp=1",
        padding.PKCS1v15(),
        hashes.SHA256(),
    )


@pytest.mark.parametrize(
    ("form", "passphrase"),
    [
        (serialization.PrivateFormat.PKCS8, None),
        (serialization.PrivateFormat.PKCS8, "open sesame"),
        (serialization.PrivateFormat.OpenSSH, None),
    ],
)
def test_an_ed25519_key_signs(form, passphrase):
    key = ed25519.Ed25519PrivateKey.generate()
    signature = signer(pem_of(key, passphrase, form), passphrase)("timestamp=1")
    key.public_key().verify(base64.b64decode(signature, validate=True), b"timestamp=1")


def test_a_key_of_another_kind_is_refused():
    pem = pem_of(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(ParameterArgumentError, match="RSA or Ed25519"):
        signer(pem)


def test_a_wrong_passphrase_is_said_without_showing_it(rsa_key):
    with pytest.raises(ParameterArgumentError, match="can't be read") as caught:
        signer(pem_of(rsa_key, "open sesame"), "not this one")
    assert caught.value.__suppress_context__
    assert "not this one" not in str(caught.value)


def test_text_that_is_no_key_is_refused():
    with pytest.raises(ParameterArgumentError, match="can't be read"):
        signer("no key at all")


def test_a_missing_cryptography_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    with pytest.raises(ParameterArgumentError, match=r"pip install 'qehost\[keys\]'"):
        signer("any")


def test_no_repr_shows_the_secret():
    assert "hush" not in repr(hmac_signer(Secret("hush")))
