"""The hooks' arguments under short names, and a terminal that is only a grid of characters."""

import re

import pytest
from hypothesis import HealthCheck, settings
from msgspec.structs import replace
from qehost.testing import Events, detail

# How fast the machine is, is no promise; and the examples are the same each time.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("any machine")

START = 1_764_036_000_000  # epoch ms


class Tell:
    """Makes the arguments of the hooks: message, detail, event.  All happens at START."""

    def __init__(self):
        self._events = Events(start_ms=START, step_ms=0)

    def _arguments(self, make, fields, at=START, **head):
        event = make(**fields, **head, received_at=at * 1_000_000)
        return event.message, detail(event), event

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
        **head,
    ):
        fields = {
            "master_order_id": id,
            "status": status,
            "total_quantity": quantity,
            "order_notional": notional,
            "cum_filled_qty": filled,
            "cum_filled_notional": filled_notional,
            "avg_filled_price": average,
            "symbol": symbol,
            "duration_secs": duration,
            "start_time_ms": started,
            "finished_ms": finished,
            "reason": reason,
        }
        return self._arguments(self._events.master_order, fields, **head)

    def order(self, id="o_1", status="PLACED", filled=None, reason="", **head):  # noqa: A002
        fields = {
            "master_order_id": "mo_1",
            "order_id": id,
            "status": status,
            "price": "61234.50",
            "quantity": "1.50",
            "filled_quantity": filled,
            "average_price": filled and "61230.10",
            "reason": reason,
        }
        return self._arguments(self._events.order, fields, **head)

    def fill(
        self,
        quantity="0.10",
        price="61234.50",
        master="mo_1",
        symbol="BTCUSDT",
        side="buy",
        origin="derived",
        **head,
    ):
        fields = {
            "master_order_id": master,
            "order_id": "o_1",
            "symbol": symbol,
            "side": side,
            "quantity": quantity,
            "price": price,
        }
        if origin == "derived":
            # As of many orders: none of these fills is a part of another.
            fields |= {"notional": None, "cum_quantity": None}
        return self._arguments(self._events.fill, fields, origin=origin, **head)

    def connected(self, account="main", at=START, **facts):
        return self._events.connected(account=account, received_at=at * 1_000_000, **facts)

    def disconnected(self, reason="reset by the peer", account="main", at=START, **facts):
        at *= 1_000_000
        return self._events.disconnected(reason, account=account, received_at=at, **facts)

    def error(self, error, **head):
        return self._events.error(error, **head)

    def status(self, text):
        return self._events.status(text)

    def unknown(self, raw):
        return replace(self._events.unknown(), raw=raw)


@pytest.fixture
def tell():
    return Tell()


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
