"""Signed requests: the string to sign, and the signature.  No I/O, no clock.

The rules are the venue's: parameters without a value are dropped, the rest is sorted by name and
form-encoded; a write with a JSON body signs the body's top-level fields merged with those of the
query.  A *signer* turns that string into the text of the signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import urlencode

from qehost.errors import ParameterArgumentError, ParameterTypeError, ParameterValueError
from qehost.secret import Secret

__all__ = [
    "Signer",
    "body_text",
    "form_encode",
    "hmac_signer",
    "key_signer",
    "plain_number",
    "string_to_sign",
]

Signer: TypeAlias = Callable[[str], str]
"""From the string to sign to the signature.  A closure, so that no `repr` can show the secret."""


def form_encode(fields: Mapping[str, Any]) -> str:
    """The fields as a query: sorted by name, None left out, `@` as it is, lists repeated."""
    present = sorted((name, value) for name, value in fields.items() if value is not None)
    return urlencode(present, doseq=True).replace("%40", "@")


def string_to_sign(query: Mapping[str, Any], body: Mapping[str, Any] | None = None) -> str:
    """What is signed for a request with these query parameters and this JSON body.

    For a request without a body it is the query itself.  Where a name stands in both, the body's
    value is signed.
    """
    fields = dict(query)
    for name, value in (body or {}).items():
        if value is not None and name.lower() != "signature":
            fields[name] = _signed_value(name, value)
    return form_encode(fields)


def body_text(body: Mapping[str, Any]) -> str:
    """The JSON body as it is sent: compact, fields without a value left out.

    A `Decimal` becomes a string in plain notation: the venue's decimals are strings.
    """
    return _compact({name: value for name, value in body.items() if value is not None})


def plain_number(value: int | float | Decimal) -> str:
    """The number without an exponent, every digit kept: `1E-8` is `0.00000001`.

    A float is taken at its shortest notation, which is what a program's user typed: 0.1 is `0.1`.

    Raises:
        ParameterValueError: it is infinite or not a number.
    """
    if not math.isfinite(value):
        raise ParameterValueError([value])
    if isinstance(value, float):
        # A JSON body says 100.0 and the venue reads the number 100.
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _signed_value(name: str, value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float() | Decimal():
            return plain_number(value)
        case list() | tuple() | dict():
            return _compact(value)
        case _:
            raise ParameterTypeError([name, "text, number, boolean, list or object"])


def _compact(value: Any) -> str:
    try:
        return json.dumps(
            value,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
            default=_json_value,
        )
    except ParameterArgumentError:
        raise
    except ValueError as error:  # NaN, infinity, a circular reference
        raise ParameterArgumentError(f"the body can't be sent as JSON: {error}") from None


def _json_value(value: object) -> str:
    if isinstance(value, Decimal):
        return plain_number(value)
    raise ParameterArgumentError(
        f"the body can't be sent as JSON: it holds a value of type {type(value).__name__}"
    )


# --- signers -----------------------------------------------------------------------------------


def hmac_signer(secret: Secret) -> Signer:
    """HMAC-SHA256 with the API secret, in hex."""

    def sign(text: str) -> str:
        return hmac.new(secret.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()

    return sign


def key_signer(pem: Secret, passphrase: Secret | None = None) -> Signer:
    """RSA (PKCS#1 v1.5 with SHA-256) or Ed25519 by a private key in PEM text, in base64.

    Raises:
        ParameterArgumentError: the `cryptography` package is missing, or the key can't be used.
    """
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
    except ImportError:
        raise ParameterArgumentError(
            "signing with a private key needs the cryptography package: pip install 'qehost[keys]'"
        ) from None

    load = (
        serialization.load_ssh_private_key
        if "BEGIN OPENSSH PRIVATE KEY" in pem.reveal()
        else serialization.load_pem_private_key
    )
    try:
        key = load(pem.reveal().encode(), passphrase.reveal().encode() if passphrase else None)
    except Exception as error:  # noqa: BLE001 - OpenSSL's and bcrypt's errors have no common root
        # `from None`, because a traceback of the loader could hold the passphrase.
        raise ParameterArgumentError(f"the private key can't be read: {_reason(error)}") from None

    match key:
        case ed25519.Ed25519PrivateKey():
            ed = key
            return lambda text: base64.b64encode(ed.sign(text.encode())).decode()
        case rsa.RSAPrivateKey():
            rs = key
            return lambda text: base64.b64encode(
                rs.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
            ).decode()
        case _:
            raise ParameterArgumentError(
                f"the private key must be RSA or Ed25519; this is {type(key).__name__.strip('_')}"
            )


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text[:200]
