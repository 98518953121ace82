"""What the venue's balance and position calls answer, by exchange.

Source of the routes and fields: the venue's clients.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["SHAPES", "filled"]

_READ_AT = "1783069200000"
_TEXTS = {
    **dict.fromkeys(("asset", "ccy", "coin", "currency"), "USDT"),
    **dict.fromkeys(("symbol", "sym"), "BTCUSDT"),
    **dict.fromkeys(("positionSide", "posSide"), "BOTH"),
    **dict.fromkeys(("updateTime", "uTime", "cTime", "createAt", "updateAt"), _READ_AT),
    **dict.fromkeys(("accountStatus", "riskLevel"), "NORMAL"),
    **dict.fromkeys(("portfolioId", "positionId"), "1"),
    **dict.fromkeys(("mgnMode", "leverageType"), "cross"),
    **dict.fromkeys(("leverage", "lever", "maxLeverage"), "10"),
    **dict.fromkeys(("entryPrice", "avgPx", "avgPrice", "breakEvenPrice", "entryPx"), "97124.00"),
    **dict.fromkeys(("markPx", "markPrice", "indexPrice", "settlementPrice"), "97200.50"),
    **dict.fromkeys(("positionAmt", "pos", "positionQty", "szi"), "0.500"),
    "instId": "BTC-USDT-SWAP",
    "instType": "SWAP",
    "instrumentName": "BTC-PERPETUAL",
    "direction": "buy",
    "kind": "future",
    "exchangeType": "SIMULATED",
    "positionMode": "NET",
    "marginModel": "cross_sm",
    "tpslOrder": "",
}
# Boolean fields: those that are on, and those that are off.
_ON = {
    *("canTrade", "canDeposit", "canWithdraw", "borrowEnabled", "tradeEnabled"),
    *("transferEnabled", "marginAvailable", "crossCollateralEnabled"),
}
_OFF = {"isolated", "dualSidePosition", "portfolioMarginingEnabled"}
_INTEGERS = {"feeTier", "tradeGroupId", "leverageValue"}
_WORDS = {"currency", "instrumentName", "direction", "kind", "marginModel"}
_OKX_DETAIL = "ccy eq eqUsd availBal availEq cashBal frozenBal upl liab interest"


class Shape(NamedTuple):
    """Of which exchange, its scalar fields, and its lists as `name: fields of an item`.

    Deribit alone has numbers where the others have decimals as text.
    """

    exchange: str
    scalars: str
    lists: dict[str, str]


_PAPI = {
    "assets": "asset crossWalletBalance crossUnPnl maintMargin initialMargin "
    "positionInitialMargin openOrderInitialMargin updateTime",
    "positions": "symbol positionAmt positionSide entryPrice breakEvenPrice unrealizedProfit "
    "leverage initialMargin maintMargin",
}
_POSITION = (
    "symbol positionAmt positionSide entryPrice breakEvenPrice unrealizedProfit leverage isolated"
)
SHAPES = {
    "account-balance": Shape(
        "Binance", "accountType updateTime", {"balances": "asset free locked"}
    ),
    "margin-balance": Shape(
        "Binance",
        "accountType updateTime",
        {
            "balances": "asset walletBalance availableBalance crossWalletBalance crossUnPnl "
            "marginBalance maxWithdrawAmount"
        },
    ),
    "pv1-balance": Shape(
        "Binance",
        "accountType",
        {
            "balances": "asset totalWalletBalance crossMarginBorrowed crossMarginFree "
            "crossMarginInterest crossMarginLocked umWalletBalance umUnrealizedPnl "
            "cmWalletBalance cmUnrealizedPnl updateTime negativeBalance"
        },
    ),
    "fapi-position-side-dial": Shape("Binance", "dualSidePosition accountType", {}),
    "papi-um-position-side-dual": Shape("Binance", "dualSidePosition accountType", {}),
    "um-account": Shape("Binance", "tradeGroupId accountType updateTime", _PAPI),
    "cm-account": Shape("Binance", "accountType updateTime", _PAPI),
    "pv1-account": Shape(
        "Binance",
        "accountType uniMmr accountEquity actualEquity accountInitialMargin accountMaintMargin "
        "accountStatus virtualMaxWithdrawAmount totalAvailableBalance totalMarginOpenLoss "
        "updateTime",
        {},
    ),
    "dapi-account": Shape(
        "Binance",
        "canDeposit canTrade canWithdraw feeTier accountType updateTime",
        {
            "assets": "asset walletBalance unrealizedProfit marginBalance availableBalance "
            "maxWithdrawAmount crossWalletBalance crossUnPnl",
            "positions": _POSITION,
        },
    ),
    "fapi-account": Shape(
        "Binance",
        "totalWalletBalance totalUnrealizedProfit totalMarginBalance availableBalance "
        "maxWithdrawAmount totalInitialMargin totalMaintMargin totalCrossWalletBalance "
        "totalCrossUnPnl accountType",
        {
            "assets": "asset walletBalance unrealizedProfit marginBalance availableBalance "
            "maxWithdrawAmount marginAvailable",
            "positions": f"{_POSITION} notional isolatedWallet",
        },
    ),
    "cross-margin-account-detail": Shape(
        "Binance",
        "accountType borrowEnabled tradeEnabled transferEnabled marginLevel totalAssetOfBtc "
        "totalLiabilityOfBtc totalNetAssetOfBtc",
        {"userAssets": "asset free locked borrowed interest netAsset"},
    ),
    "okx-account-balance": Shape(
        "OKX",
        "",
        {"data": "totalEq availEq adjEq imr mmr mgnRatio notionalUsd ordFroz upl uTime details"},
    ),
    "okx-account-positions": Shape(
        "OKX",
        "",
        {
            "data": "instId instType pos posSide avgPx markPx liqPx upl uplRatio lever mgnMode imr "
            "mmr margin notionalUsd adl ccy pnl realizedPnl fee fundingFee cTime uTime"
        },
    ),
    "okx-account-max-size": Shape("OKX", "", {"data": "ccy instId maxBuy maxSell"}),
    "ltp-position": Shape(
        "LTP",
        "",
        {
            "data": "positionId portfolioId sym positionSide positionQty positionValue "
            "positionMargin positionMm unrealizedPnl unrealizedPnlRate avgPrice markPrice liqPrice "
            "leverage maxLeverage riskLevel fee fundingFee tpslOrder createAt updateAt"
        },
    ),
    "ltp-account": Shape(
        "LTP",
        "",
        {
            "data": "portfolioId exchangeType equity maintainMargin positionValue uniMmr riskRatio "
            "accountStatus availableMargin validMargin frozenMargin upnl positionMode"
        },
    ),
    "ltp-portfolio-asset": Shape(
        "LTP",
        "",
        {
            "data": "portfolioId coin exchangeType available frozen equity balance borrow debt "
            "marginValue indexPrice maxTransferable upnl equityValue createAt updateAt"
        },
    ),
    "deribit-position": Shape(
        "Deribit",
        "",
        {
            "data": "instrumentName direction size averagePrice markPrice indexPrice "
            "floatingProfitLoss totalProfitLoss initialMargin maintenanceMargin "
            "estimatedLiquidationPrice leverage kind sizeCurrency delta realizedFunding "
            "realizedProfitLoss settlementPrice"
        },
    ),
    "deribit-account": Shape(
        "Deribit",
        "",
        {
            "data": "currency equity balance availableFunds availableWithdrawalFunds marginBalance "
            "initialMargin maintenanceMargin lockedBalance totalPl sessionUpl sessionRpl futuresPl "
            "optionsValue optionsDelta optionsGamma optionsVega optionsTheta deltaTotal "
            "marginModel portfolioMarginingEnabled crossCollateralEnabled"
        },
    ),
    "hyperliquid-spot-balance": Shape(
        "Hyperliquid",
        "availableMargin",
        {"balances": "coin total hold available totalValue price"},
    ),
    "hyperliquid-positions": Shape(
        "Hyperliquid",
        "withdrawable accountValue totalMarginUsed totalNtlPos",
        {
            "positions": "coin szi positionValue entryPx unrealizedPnl leverageType leverageValue "
            "liquidationPx marginUsed returnOnEquity"
        },
    ),
}


def filled(route: str, given: dict[str, str]) -> dict[str, Any]:
    """The answer of this route; `given` stands in the items of its lists, too."""
    shape = SHAPES[route]
    numbers = shape.exchange == "Deribit"
    return {
        "exchange": shape.exchange,
        **_object(shape.scalars, numbers, route, {}),
        **{name: [_object(names, numbers, route, given)] for name, names in shape.lists.items()},
    }


def _object(names: str, numbers: bool, route: str, given: dict[str, str]) -> dict[str, Any]:
    return {name: given.get(name) or _value(name, numbers, route) for name in names.split()}


def _value(name: str, numbers: bool, route: str) -> Any:
    if name == "details":
        return [_object(_OKX_DETAIL, numbers, route, {})]
    if name == "accountType":
        return route.partition("-")[0].upper()
    if name in _ON or name in _OFF:
        return name in _ON
    if name in _INTEGERS:
        return 1
    text = _TEXTS.get(name, "1000.00")
    return float(text) if numbers and name not in _WORDS else text
