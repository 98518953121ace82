"""Only a request that was signed by its user, a moment ago, is carried out."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from qehost.simulator.accounts import Account
from qehost.simulator.refusal import RestRefusal
from qehost.simulator.signatures import check_signature, string_to_sign

NOW = 1_735_372_000_000


@pytest.fixture
def account() -> Account:
    return Account(0, 0, NOW)


def signed(account: Account, params: dict[str, Any], body: dict[str, Any] | None = None) -> str:
    text = string_to_sign({name: str(value) for name, value in params.items()}, body or {})
    key = account.api_secret.encode()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return urlencode({**params, "signature": signature})


def reason_for(account: Account, query: str, body: dict[str, Any] | None = None) -> str:
    with pytest.raises(RestRefusal) as caught:
        check_signature(account, query, body or {}, NOW)
    return caught.value.reason


def test_the_protocols_worked_example_comes_out_to_the_letter() -> None:
    body = {"masterOrderIds": ["mo_001", "mo_002"], "reason": "risk_limit_breach"}

    assert string_to_sign({"timestamp": "1735372000000"}, body) == (
        "masterOrderIds=%5B%22mo_001%22%2C%22mo_002%22%5D&reason=risk_limit_breach"
        "&timestamp=1735372000000"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (12, "12"),
        (0.25, "0.25"),
        (1e-7, "0.0000001"),
        (3.0, "3"),
        ({"a": [1, "ü"]}, "%7B%22a%22%3A%5B1%2C%22%C3%BC%22%5D%7D"),
        ("a@b c", "a@b+c"),
    ],
)
def test_a_bodys_fields_are_signed_in_plain_notation(value: Any, text: str) -> None:
    assert string_to_sign({}, {"x": value}) == f"x={text}"


def test_a_signed_request_gives_its_business_parameters(account: Account) -> None:
    query = signed(account, {"timestamp": NOW, "recvWindow": 60000, "symbol": "BTCUSDT", "e": ""})

    assert check_signature(account, query, {}, NOW) == {"symbol": "BTCUSDT", "e": ""}


def test_a_changed_parameter_or_body_is_noticed(account: Account) -> None:
    query = signed(account, {"timestamp": NOW, "page": 1}, {"reason": "one"})

    assert reason_for(account, query.replace("page=1", "page=2"), {"reason": "one"}) == (
        "SIGNATURE_INVALID"
    )
    assert reason_for(account, query, {"reason": "two"}) == "SIGNATURE_INVALID"
    assert reason_for(account, f"timestamp={NOW}") == "SIGNATURE_REQUIRED"


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"timestamp": NOW - 5_001}, "TIMESTAMP_EXPIRED"),
        ({"timestamp": NOW - 100, "recvWindow": 50}, "TIMESTAMP_EXPIRED"),
        ({"timestamp": NOW + 1_001}, "TIMESTAMP_AHEAD"),
        ({"timestamp": NOW, "recvWindow": 60_001}, "INVALID_RECV_WINDOW"),
        ({"timestamp": "soon"}, "INVALID_ARGUMENT"),
        ({}, "INVALID_ARGUMENT"),
    ],
)
def test_a_request_outside_its_window_is_refused(
    account: Account, params: dict[str, Any], reason: str
) -> None:
    assert reason_for(account, signed(account, params)) == reason


@pytest.mark.parametrize("age", [-1_000, 0, 5_000])
def test_the_window_includes_its_ends(account: Account, age: int) -> None:
    assert check_signature(account, signed(account, {"timestamp": NOW - age}), {}, NOW) == {}


def _ed25519() -> tuple[Any, Callable[[bytes], bytes]]:
    key = ed25519.Ed25519PrivateKey.generate()
    return key, key.sign


def _rsa() -> tuple[Any, Callable[[bytes], bytes]]:
    key = rsa.generate_private_key(65537, 2048)
    return key, lambda payload: key.sign(payload, padding.PKCS1v15(), SHA256())


@pytest.mark.parametrize("make", [_ed25519, _rsa])
def test_a_registered_public_key_takes_the_place_of_the_secret(
    account: Account, make: Callable[[], tuple[Any, Callable[[bytes], bytes]]]
) -> None:
    key, sign = make()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    account.public_key = pem.decode()
    signature = base64.b64encode(sign(f"timestamp={NOW}".encode())).decode()

    query = urlencode({"timestamp": NOW, "signature": signature})
    assert check_signature(account, query, {}, NOW) == {}
    assert reason_for(account, signed(account, {"timestamp": NOW})) == "SIGNATURE_INVALID"
