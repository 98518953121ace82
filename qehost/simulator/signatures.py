"""Checks the signature of a request, as the venue does.  No I/O; the clock is passed in.

It shares no code with the client that signs, so that a test with both compares two implementations.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

from qehost.simulator.accounts import Account
from qehost.simulator.refusal import RestRefusal

__all__ = ["check_signature", "string_to_sign"]

_WINDOW_MS = 5_000
_WINDOW_MAX_MS = 60_000
_AHEAD_MS = 1_000  # how far a client's clock may be ahead of ours


def check_signature(
    account: Account, query: str, body: dict[str, Any], now_ms: int
) -> dict[str, str]:
    """The query's business parameters, if the request is signed by this account and in time."""
    params = dict(parse_qsl(query, keep_blank_values=True))
    signature = params.pop("signature", "")
    if not signature:
        raise RestRefusal(401, "SIGNATURE_REQUIRED", "the query has no signature")
    if not _verify(account, string_to_sign(params, body), signature):
        raise RestRefusal(401, "SIGNATURE_INVALID", "signature for this request is not valid")
    sent = _milliseconds(params.pop("timestamp", ""), "timestamp")
    window = _milliseconds(params.pop("recvWindow", str(_WINDOW_MS)), "recvWindow")
    if not 0 < window <= _WINDOW_MAX_MS:
        raise RestRefusal(400, "INVALID_RECV_WINDOW", f"recvWindow must be 1 to {_WINDOW_MAX_MS}")
    if sent > now_ms + _AHEAD_MS:
        raise RestRefusal(
            401, "TIMESTAMP_AHEAD", "timestamp is more than 1000 ms ahead of the server"
        )
    if sent < now_ms - window:
        raise RestRefusal(401, "TIMESTAMP_EXPIRED", "timestamp is outside of the recvWindow")
    return params


def string_to_sign(params: dict[str, str], body: dict[str, Any]) -> str:
    """The merge of the query's fields and the body's top-level fields, sorted and form-encoded."""
    merged = dict(params)
    for name, value in body.items():
        if name.lower() != "signature":
            merged[name] = _as_text(value)
    return urlencode(sorted(merged.items())).replace("%40", "@")


def _as_text(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{value:.15f}".rstrip("0").rstrip(".") or "0"
        case None:
            return "<nil>"
        case _:
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _verify(account: Account, text: str, signature: str) -> bool:
    payload = text.encode()
    if account.public_key:
        return _verify_public(account.public_key, payload, signature)
    expected = hmac.new(account.api_secret.encode(), payload, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


def _verify_public(public_key: str, payload: bytes, signature: str) -> bool:
    # Imported here: only public keys need the extra `keys`.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = load_pem_public_key(public_key.encode())
    try:
        given = base64.b64decode(signature, validate=True)
        if isinstance(key, Ed25519PublicKey):
            key.verify(given, payload)
        elif isinstance(key, RSAPublicKey):
            key.verify(given, payload, PKCS1v15(), SHA256())
        else:
            raise TypeError("public_key must be an RSA or Ed25519 key in PEM")
    except (InvalidSignature, ValueError):
        return False
    return True


def _milliseconds(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise RestRefusal(400, "INVALID_ARGUMENT", f"{name} must be a number of milliseconds")
    return int(text)
