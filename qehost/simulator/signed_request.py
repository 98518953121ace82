"""What a handler of a REST route gets, and the entries of the table of routes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from qehost.simulator.accounts import Account
from qehost.simulator.fields import whole
from qehost.simulator.refusal import RestRefusal

__all__ = ["PAGE_SIZE_MAX", "RestForm", "Route", "SignedRequest", "page"]

_PAGE_SIZE = 20
PAGE_SIZE_MAX = 100
_Item = TypeVar("_Item")


class RestForm(NamedTuple):
    """What is odd about this venue's answers."""

    key_lifetime: float | None = None  # seconds, of a new listen key; None: a day
    expire_at_in_ms: bool = False
    whole_seconds: bool = False  # V2's createdAt and updatedAt


class SignedRequest(NamedTuple):
    """A request that has passed the checks."""

    account: Account
    params: dict[str, str]  # of the query, without those of the signature
    body: dict[str, Any]
    now_ms: int
    id: str  # from the path
    form: RestForm = RestForm()


class Route(NamedTuple):
    """`pattern` is that of a whole path; its group is the id.  `acts`: it changes master orders."""

    method: str
    pattern: str
    handler: Callable[[SignedRequest], Any]
    acts: bool = False


def page(
    params: dict[str, str],
    found: Sequence[_Item],
    form: Callable[[_Item], dict[str, Any]],
    *,
    clip: bool = False,
) -> dict[str, Any]:
    """One page of a list.  V1 clips a page that is too long in silence (`clip`), V2 refuses it."""
    number = whole(params, "page", 1)
    size = whole(params, "pageSize", _PAGE_SIZE)
    if size > PAGE_SIZE_MAX:
        if not clip:
            raise RestRefusal(400, "INVALID_ARGUMENT", f"pageSize must be at most {PAGE_SIZE_MAX}")
        size = PAGE_SIZE_MAX
    items = found[(number - 1) * size : number * size]
    return {
        "items": [form(item) for item in items],
        "total": len(found),
        "page": number,
        "pageSize": size,
    }
