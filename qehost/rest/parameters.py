"""What a caller passes to a method: which parameters it has, their checks, and the rules between
them.  The only place for these.  No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from urllib.parse import quote

from qehost.errors import (
    ParameterArgumentError,
    ParameterRequiredError,
    ParameterTypeError,
)
from qehost.rest.checks import (
    as_it_is,
    decimal,
    duration,
    epoch_ms,
    flag,
    market_type,
    moment,
    not_in_v2,
    page,
    page_size,
    plain,
    share,
    trigger_action,
    trigger_price,
    wait_seconds,
)

__all__ = [
    "CORE",
    "CREATE",
    "TIMES_IN_MS",
    "UPDATE",
    "checked",
    "create_body",
    "create_query_v1",
    "finds_nothing",
    "id_list",
    "list_query",
    "path_of",
    "seconds",
    "update_body",
    "update_query_v1",
    "with_present_names",
]

Check: TypeAlias = Callable[[str, Any], Any]

# --- tables --------------------------------------------------------------------------------------


def _table(check: Check, names: str) -> dict[str, Check]:
    return dict.fromkeys(names.split(), check)


TIMES: Mapping[str, Check] = _table(moment, "startTime endTime")
TIMES_IN_MS: Mapping[str, Check] = _table(epoch_ms, "startTime endTime")
LIST: Mapping[str, Check] = {**TIMES, "page": page, "pageSize": page_size}

UPDATE: Mapping[str, Check] = {
    **_table(decimal, "totalQuantity orderNotional worstPrice makerRateLimit povMinLimit"),
    **_table(decimal, "upTolerance lowTolerance"),
    **_table(flag, "enableMake mustComplete strictUpBound tailOrderProtection"),
    **_table(not_in_v2, "limitPrice limitPriceString"),
    "executionDurationSeconds": duration,
    "povLimit": share,
    "recvWindow": as_it_is,
}

# `exchange` and `algorithm` are the venue's to know: it adds some now and then.
CREATE: Mapping[str, Check] = {
    **UPDATE,
    **_table(as_it_is, "apiKeyId exchange symbol side algorithm"),
    **_table(as_it_is, "marginType clientOrderId notes"),
    **_table(flag, "reduceOnly isMargin isTargetPosition"),
    **_table(trigger_price, "triggerPrice triggerPrice1"),
    "marketType": market_type,
    "startTimeMs": epoch_ms,
    "maxTriggerWaitSecs": wait_seconds,
    "maxTriggerWaitTimeoutAction": trigger_action,
}
CORE = ("apiKeyId", "exchange", "marketType", "symbol", "side", "algorithm")

UPDATE_V1: Mapping[str, Check] = {
    **_table(plain, "orderNotional totalQuantity upTolerance lowTolerance makerRateLimit"),
    **_table(plain, "povLimit povMinLimit limitPrice worstPrice"),
    **_table(as_it_is, "enableMake strictUpBound tailOrderProtection mustComplete"),
    **_table(as_it_is, "executionDurationSeconds executionDuration recvWindow"),
}
CREATE_V1: Mapping[str, Check] = {
    **UPDATE_V1,
    **_table(as_it_is, "algorithm exchange symbol marketType side apiKeyId"),
    **_table(as_it_is, "strategyType marginType reduceOnly isMargin isTargetPosition"),
    **_table(as_it_is, "notes clientId clientOrderId limitPriceString"),
    "startTime": moment,
}
CREATE_V1_DEFAULTS = {
    "algorithmType": "TWAP",  # always, whatever the algorithm
    "tailOrderProtection": True,
    "enableMake": True,
    "isTargetPosition": False,
}

OLDER_NAMES = {"page_size": "pageSize", "apiKeyUuid": "apiKeyId"}


# --- whole calls ---------------------------------------------------------------------------------


def checked(
    params: Mapping[str, Any], checks: Mapping[str, Check] = TIMES, *, others: bool = True
) -> dict[str, Any]:
    """What is sent for these parameters, None left out.

    A name without a check is sent as it is, the venue being its judge, or refused (`others`).
    """
    sent: dict[str, Any] = {}
    for name, value in params.items():
        if value is None:
            continue
        check = checks.get(name)
        if check is None and not others:
            raise ParameterArgumentError(f"{name} is no parameter of this call")
        bare = value.value if isinstance(value, Enum) else value
        sent[name] = bare if check is None else check(name, bare)
    return sent


def list_query(params: Mapping[str, Any]) -> dict[str, Any]:
    """The query for one page of a V2 list; the names that it had earlier are taken, too."""
    return checked(with_present_names(params), LIST)


def with_present_names(params: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: value for name, value in params.items() if name not in OLDER_NAMES}
    for older, name in OLDER_NAMES.items():
        if named.get(name) is None and older in params:
            named[name] = params[older]
    return named


def finds_nothing(query: Mapping[str, Any]) -> str:
    """Why a list of master orders with this query will be empty; `""` if nothing says so.

    Source: the venue's client, `MasterOrderStatusV2`: any other status is compared by the letter.
    """
    status = query.get("status")
    if status in (None, "", "NEW", "COMPLETED"):
        return ""
    return (
        f"the venue finds no master order by the status {status}: a list knows NEW, for all that "
        "still run, and COMPLETED, for all that don't"
    )


def update_body(request: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """The body of an update, with `recvWindow` where that was given.

    `request` is None, a mapping, or an object with `to_payload()`; `params` come before it.
    """
    return checked({**_payload(request), **_given(params)}, UPDATE, others=False)


def create_body(request: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a new master order, with `recvWindow` where that was given.

    `request` and `params` as in `update_body`.
    """
    body = checked({**_payload(request), **_given(params)}, CREATE, others=False)
    _require(body, CORE)
    if "executionDurationSeconds" not in body:
        raise ParameterArgumentError("executionDurationSeconds is required")
    _check_quantity(body)
    if ("totalQuantity" in body) == ("orderNotional" in body):
        raise ParameterArgumentError("exactly one of totalQuantity and orderNotional is needed")
    return {"povLimit": "0.05" if body["algorithm"] == "POV" else "1", **body}


def create_query_v1(params: Mapping[str, Any]) -> dict[str, Any]:
    """The query of V1's new master order."""
    query = {**CREATE_V1_DEFAULTS, **checked(params, CREATE_V1, others=False)}
    _require(query, CORE)
    _check_quantity(query)
    return query


def update_query_v1(params: Mapping[str, Any]) -> dict[str, Any]:
    """The query of V1's update."""
    return checked(params, UPDATE_V1, others=False)


def _require(sent: Mapping[str, Any], names: Iterable[str]) -> None:
    if missing := [name for name in names if sent.get(name) in (None, "")]:
        raise ParameterRequiredError(missing)


def _check_quantity(sent: Mapping[str, Any]) -> None:
    """Where only a quantity makes sense.  Source: the venue's clients, which refuse the same."""
    market = sent["exchange"], sent["marketType"], sent.get("marginType")
    contracts = market == ("Binance", "PERP", "C")
    dollars = sent["exchange"] == "Deribit" and str(sent["symbol"]).upper() in ("BTCUSD", "ETHUSD")
    why = ""
    if contracts:
        why = "coin-margined contracts are counted in contracts"
    elif dollars:
        why = "on Deribit BTCUSD and ETHUSD are counted in USD"
    elif sent.get("isTargetPosition") is True:
        why = "a target position is a quantity"
    if why and ("totalQuantity" not in sent or "orderNotional" in sent):
        raise ParameterArgumentError(f"{why}: give totalQuantity and no orderNotional")
    if contracts and Decimal(str(sent["totalQuantity"])) % 1:
        raise ParameterArgumentError(f"{why}: totalQuantity must be a whole number")


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _payload(request: Any) -> Mapping[str, Any]:
    payload = request.to_payload() if hasattr(request, "to_payload") else request
    if payload is None:
        return {}
    if not isinstance(payload, Mapping):
        raise ParameterTypeError(["request", "dict, or an object with to_payload()"])
    return payload


def path_of(template: str, **ids: str | int | None) -> str:
    """The path with these ids in it, each a segment of its own."""
    for name, value in ids.items():
        if value is None or value == "":
            raise ParameterRequiredError([name])
    return template.format(**{name: quote(str(value), safe="") for name, value in ids.items()})


def id_list(name: str, values: Iterable[str | int]) -> list[str]:
    """At least one id, none of them empty."""
    if isinstance(values, str):
        # Its letters would be taken for ids.
        raise ParameterTypeError([name, "list of ids"])
    ids = [str(value) for value in values]
    if not ids or not all(ids):
        raise ParameterRequiredError([name])
    return ids


def seconds(timeout: float | tuple[float, float] | None, default: float) -> float:
    """The deadline of a call: a number, or the sum of a pair (to connect, to read)."""
    if timeout is None:
        return default
    total = sum(timeout) if isinstance(timeout, tuple) else timeout
    if not total > 0:
        raise ParameterArgumentError(f"timeout must be more than 0 seconds, not {timeout}")
    return float(total)
