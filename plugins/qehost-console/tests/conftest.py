"""Events as qehost hands them over, and a terminal that is only a grid of characters."""

import logging
import re
from decimal import Decimal
from itertools import count
from types import SimpleNamespace

import pytest
from qehost.errors import to_problem
from qehost.messages import (
    Connected,
    ConnectedEvent,
    Disconnected,
    DisconnectedEvent,
    ErrorEvent,
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderDetail,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderDetail,
    OrderEvent,
    OrderMessage,
    StatusEvent,
    UnknownEvent,
)

START = 1_764_036_000_000  # epoch ms


def decimal(text):
    return None if text is None else Decimal(text)


class Venue:
    """Makes the arguments of the hooks: message, detail, event."""

    def __init__(self):
        self._numbers = count(1)

    def head(self, account="main", at=START, origin="stream", redelivered=False, raw="{}"):
        seq = next(self._numbers)
        return {
            "seq": seq,
            "account": account,
            "message_id": f"m{seq}",
            "received_at": at * 1_000_000,
            "origin": origin,
            "redelivered": redelivered,
            "raw": raw,
        }

    def master(
        self,
        id="mo_1",  # noqa: A002  (as the venue calls it)
        status="PROCESSING",
        quantity="10",
        filled=None,
        average=None,
        symbol="BTCUSDT",
        duration=60,
        started=START,
        finished=None,
        reason="",
        notional=None,
        filled_notional=None,
        quote="USDT",
        base="BTC",
        **head,
    ):
        detail = MasterOrderDetail(
            master_order_id=id,
            symbol=symbol,
            side="buy",
            algorithm="TWAP",
            status=status,
            base_currency=base,
            quote_currency=quote,
            total_quantity=decimal(quantity),
            order_notional=decimal(notional),
            cum_filled_qty=decimal(filled),
            cum_filled_notional=decimal(filled_notional),
            avg_filled_price=decimal(average),
            start_time_ms=started,
            finished_ms=finished,
        )
        message = MasterOrderMessage(
            type="master_order",
            master_order_id=id,
            client_id="c",
            strategy="TWAP",
            symbol=symbol,
            side="buy",
            qty=float(quantity or 0),
            duration_secs=float(duration),
            category="perp",
            action="",
            reduce_only=False,
            status=status,
            date=START / 1000,
            ticktime_int=START // 1000,
            ticktime_ms=START,
            reason=reason,
            timestamp=START,
        )
        return message, detail, MasterOrderEvent(**self.head(**head), message=message)

    def order(self, id="o_1", status="PLACED", filled=None, reason="", **head):  # noqa: A002
        detail = OrderDetail(
            order_id=id,
            master_order_id="mo_1",
            symbol="BTCUSDT",
            side="buy",
            status=status,
            price=Decimal("61234.50"),
            quantity=Decimal("1.50"),
            filled_quantity=decimal(filled),
            average_price=decimal(filled and "61230.10"),
            base_currency="BTC",
            quote_currency="USDT",
        )
        message = OrderMessage(
            "order", "mo_1", id, "BTCUSDT", "perp", "buy", 61234.5, 1.5, status, START,
            0.0, 0.0, 0.0, 0.0, 0, 0, 0, "LIMIT", reason, START,
        )  # fmt: skip
        return message, detail, OrderEvent(**self.head(**head), message=message)

    def fill(
        self,
        quantity="0.10",
        price="61234.50",
        notional=None,
        master="mo_1",
        symbol="BTCUSDT",
        side="buy",
        origin="derived",
        **head,
    ):
        detail = FillDetail(
            master_order_id=master,
            order_id="o_1",
            symbol=symbol,
            side=side,
            quantity=decimal(quantity),
            price=decimal(price),
            notional=decimal(notional),
        )
        message = FillMessage(
            "fill", master, "o_1", symbol, "perp", side, float(price or 0), float(quantity or 0),
            START, START,
        )  # fmt: skip
        event = FillEvent(**self.head(origin=origin, **head), message=message, exact=detail)
        return message, detail, event

    def connected(self, account="main", at=START, **facts):
        message = Connected("wss://venue.example/api/ws/v2", **facts)
        return ConnectedEvent(**self.head(account, at, raw=""), message=message)

    def disconnected(self, reason="reset by the peer", account="main", at=START, **facts):
        message = Disconnected(reason, **facts)
        return DisconnectedEvent(**self.head(account, at, raw=""), message=message)

    def error(self, error, **head):
        return ErrorEvent(**self.head(**head), message=to_problem(error))

    def status(self, text):
        return StatusEvent(**self.head(), message=text)

    def unknown(self, raw):
        return UnknownEvent(**self.head(raw=raw), message=None)


@pytest.fixture
def venue():
    return Venue()


@pytest.fixture
def context():
    return SimpleNamespace(accounts=("main",), logger=logging.getLogger("qehost.plugin.console"))


class Grid:
    """What a terminal makes of the text it gets: a grid, a cursor, a scroll region, a history."""

    def __init__(self, columns, rows):
        self.history = []
        self._saved = (0, 0)
        self.resize(columns, rows)

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.region = (0, rows - 1)

    def text(self):
        return ["".join(row).rstrip() for row in self.cells]

    def everything(self):
        return self.history + self.text()

    def write(self, text):
        for sequence, character in re.findall(
            r"(\x1b\[[?\d;]*[a-zA-Z]|\x1b[78])|(.|\n)", text.replace("\n", "\r\n")
        ):
            if sequence:
                self._obey(sequence)
            elif character == "\r":
                self.column = 0
            elif character == "\n":
                self._feed()
            else:
                self._put(character)

    def _put(self, character):
        if self.column == self.columns:
            self.column = 0
            self._feed()
        self.cells[self.row][self.column] = character
        self.column += 1

    def _feed(self):
        top, bottom = self.region
        if self.row == bottom:
            gone = self.cells.pop(top)
            if top == 0:
                self.history.append("".join(gone).rstrip())
            self.cells.insert(bottom, [" "] * self.columns)
        else:
            self.row = min(self.row + 1, self.rows - 1)

    def _obey(self, sequence):
        if sequence == "\x1b7":
            self._saved = (self.row, self.column)
            return
        if sequence == "\x1b8":
            self.row, self.column = self._saved
            return
        numbers = [int(text or 0) for text in re.findall(r"\d+", sequence)]
        match sequence[-1]:
            case "A":
                self.row = max(self.region[0], self.row - numbers[0])
            case "H":
                self.row, self.column = (n - 1 for n in numbers or [1, 1])
            case "r":
                self.region = (numbers[0] - 1, numbers[1] - 1) if numbers else (0, self.rows - 1)
                self.row = self.column = 0
            case "K":
                self.cells[self.row] = [" "] * self.columns
            case "J":
                first = 0 if numbers == [2] else self.row
                for row in range(first, self.rows):
                    self.cells[row] = [" "] * self.columns
            case "m" | "h" | "l":
                pass
            case other:
                raise AssertionError(f"a sequence that this terminal does not know: {other}")


@pytest.fixture
def grid():
    return Grid
