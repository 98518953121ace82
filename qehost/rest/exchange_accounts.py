"""Exchange accounts: balances, positions and settings, as each exchange has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qehost.rest.parameters import checked
from qehost.rest.requests import Requests

__all__ = ["ExchangeAccounts"]

PATH = "/user/exchange-apis"


def _read(route: str, what: str) -> Callable[..., Any]:
    """A method that reads one address about the account that `binding_id` is bound to."""

    def read(self: Requests, binding_id: str, **params: Any) -> Any:
        return self.sign_request(
            "GET", f"{PATH}/{route}", checked({"bindingId": binding_id, **params})
        )

    read.__doc__ = what
    read.__name__ = f"get_{route.replace('-', '_')}"
    read.__qualname__ = f"ExchangeAccounts.{read.__name__}"
    return read


class ExchangeAccounts(Requests):
    """`binding_id` is an `apiKeyId` of the lists of exchange accounts.  All give the venue's
    dictionaries, whose fields are the exchange's own."""

    def list_exchange_apis(self, **params: Any) -> Any:
        """One page of the exchange accounts that are bound to this user, as V1 has them."""
        return self.sign_request("GET", PATH, checked(params))

    get_account_balance = _read("account-balance", "Binance: spot balances.")
    get_margin_balance = _read("margin-balance", "Binance: futures balances.")
    get_pv1_balance = _read("pv1-balance", "Binance portfolio margin: balances.")
    get_okx_account_balance = _read("okx-account-balance", "OKX: balances.")
    get_fapi_position_side_dial = _read(
        "fapi-position-side-dial", "Binance USD-margined: whether positions have two sides."
    )
    get_papi_um_position_side_dual = _read(
        "papi-um-position-side-dual", "Binance portfolio margin: whether positions have two sides."
    )
    get_okx_account_positions = _read("okx-account-positions", "OKX: positions.")
    get_ltp_position = _read("ltp-position", "LTP: positions; of one symbol with `sym`.")
    get_deribit_position = _read("deribit-position", "Deribit: positions.")
    get_um_account = _read("um-account", "Binance portfolio margin: USD-margined account.")
    get_cm_account = _read("cm-account", "Binance portfolio margin: coin-margined account.")
    get_pv1_account = _read("pv1-account", "Binance portfolio margin: account.")
    get_dapi_account = _read("dapi-account", "Binance: coin-margined account.")
    get_fapi_account = _read("fapi-account", "Binance: USD-margined account.")
    get_cross_margin_account_detail = _read(
        "cross-margin-account-detail", "Binance: cross margin account."
    )
    get_ltp_account = _read("ltp-account", "LTP: account.")
    get_ltp_portfolio_asset = _read("ltp-portfolio-asset", "LTP: assets of the portfolio.")
    get_deribit_account = _read("deribit-account", "Deribit: account.")
    get_hyperliquid_spot_balance = _read("hyperliquid-spot-balance", "Hyperliquid: spot balances.")
    get_hyperliquid_positions = _read("hyperliquid-positions", "Hyperliquid: perpetual positions.")

    def get_okx_account_max_size(
        self, binding_id: str, inst_id: str, td_mode: str, **params: Any
    ) -> Any:
        """OKX: the largest order.  `inst_id` is like BTC-USDT-SWAP, `td_mode` is cross, isolated or
        cash."""
        given = {"bindingId": binding_id, "instId": inst_id, "tdMode": td_mode, **params}
        return self.sign_request("GET", f"{PATH}/okx-account-max-size", checked(given))
