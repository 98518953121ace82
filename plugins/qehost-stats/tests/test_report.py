"""Which orders a report has, what is left out of its sums, and its forms."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from qehost.testing import Events, PluginHost, worked_master_order

from qehost_stats import Stats, definitions
from qehost_stats.page import as_html, bounds, zero_label
from qehost_stats.report import as_json, make
from qehost_stats.tables import DAY_COLUMNS, ORDER_COLUMNS, as_csv

START = 1_764_036_000_000
NS = 1_000_000
EVIL = "<script>alert(1)</script>"


def worked(ident, at, **fields):
    """A whole order, `at` seconds after START."""
    events = Events(start_ms=START + at * 1000, step_ms=100)
    begun = START + at * 1000
    return worked_master_order(
        events=events, master_order_id=ident, start_time_ms=begun, children=2, **fields
    )


def numbered(*lives):
    """Their events in the order of time, as one journal has them."""
    merged = sorted((e for life in lives for e in life), key=lambda event: event.received_at)
    return [type(e)(**{**fields(e), "seq": number}) for number, e in enumerate(merged, 1)]


def fields(event):
    return {name: getattr(event, name) for name in event.__struct_fields__}


def report_of(events, since=0, until=86_400, ask_venue=False, **host):
    with PluginHost(Stats, {"every": 0, "at_end": False}, history=events, **host) as running:
        begin, end = ((START + 1000 * at) * NS for at in (since, until))
        return make(running.context, running.context.accounts, begin, end, ask_venue=ask_venue)


@pytest.fixture
def mixed():
    """One whole order, one of each kind that is left out, and a text that wants to be a script."""
    return numbered(
        worked("mo-1", 10, qty="1.5", client_order_id=EVIL, notes=EVIL),
        worked("mo-2", 20, is_target_position=True),
        worked("mo-3", 30, category="perp_cm"),
        worked("mo-4", 0)[3:],
        worked("mo-5", 50, status="REJECTED", reason=EVIL, symbol=EVIL),
    )


def test_what_is_left_out_is_counted_and_in_no_sum(mixed):
    report = report_of(mixed)
    marks = {order.master_order_id: order.marks for order in report.orders}
    assert marks["mo-1"] == ()
    assert marks["mo-2"] == ("target_position",)
    assert marks["mo-3"] == ("inverse",)
    assert "partial" in marks["mo-4"]
    (group,) = [group for group in report.totals if group.quote == "USDT"]
    assert group.left_out == {"target_position": 1, "inverse": 1, "partial": 1}
    assert group.notional == Decimal("1.5") * Decimal("97000.10")


def test_an_order_that_began_before_the_time_is_read_from_its_beginning():
    events = numbered(worked("mo-1", 0, execution_duration_seconds=600))
    whole = report_of(events)
    middle = events[len(events) // 2]
    since = (middle.received_at - START * NS) / 1e9
    report = report_of(events, since=since)
    assert report.orders == whole.orders
    assert report.orders[0].marks == ()


def test_an_order_that_ended_before_the_time_is_not_in_it():
    events = numbered(worked("mo-1", 0), worked("mo-2", 600))
    assert [o.master_order_id for o in report_of(events, since=300).orders] == ["mo-2"]
    assert [o.master_order_id for o in report_of(events, until=300).orders] == ["mo-1"]


def test_figures_of_the_past_are_as_of_then():
    events = numbered(worked("mo-1", 0))
    middle = (events[6].received_at - START * NS) / 1e9
    (order,) = report_of(events, until=middle).orders
    assert order.marks == ("running",)
    assert order.end_ms == events[6].received_at // NS


def test_what_the_journal_has_lost_is_a_note():
    events = numbered(worked("mo-1", 0))
    report = report_of(events, pruned_before=5)
    assert report.notes == ["main: what came before event 5 is no longer in the journal"]


def test_without_the_venue_there_is_a_reason_and_the_report_all_the_same(mixed):
    report = report_of(mixed, ask_venue=True)
    assert "could not be had" in report.notes[0]
    assert all("could not be had" in order.absent["venue"] for order in report.orders)


def test_json_has_every_figure_with_all_digits(mixed):
    made = json.loads(as_json(report_of(mixed)))
    first = next(order for order in made["orders"] if order["master_order_id"] == "mo-1")
    assert set(first) == set(ORDER_COLUMNS)
    assert first["notional"] == "145500.15000000000"  # as the venue wrote it
    assert first["arrival_price"] is None
    assert first["absent"]["arrival_price"]


def test_csv_has_a_row_for_each_order_and_no_formula():
    events = numbered(worked("mo-1", 0, client_order_id="=HYPERLINK(1)"))
    data = as_csv(report_of(events), "orders").decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(data))
    assert tuple(row) == ORDER_COLUMNS
    assert row["client_order_id"] == "'=HYPERLINK(1)"
    assert row["notional"] == "145500.15000000000"
    assert row["arrival_price"] == ""


def test_csv_of_days_has_a_row_for_each_day_and_symbol():
    events = numbered(
        worked("mo-1", 0), worked("mo-2", 86_400), worked("mo-3", 5, symbol="ETHUSDT")
    )
    data = as_csv(report_of(events, until=200_000), "days").decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(data)))
    assert tuple(rows[0]) == DAY_COLUMNS
    assert [(row["day"], row["symbol"]) for row in rows] == [
        ("2025-11-25", "BTCUSDT"),
        ("2025-11-25", "ETHUSDT"),
        ("2025-11-26", "BTCUSDT"),
    ]


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]


def test_the_page_is_whole_in_itself_and_escapes_what_the_venue_says(mixed):
    text = as_html(report_of(mixed))
    page = Page(text)
    assert not page.links
    assert "script" not in page.tags
    assert EVIL not in text
    assert "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text


def test_the_page_has_light_dark_phone_and_print(mixed):
    text = as_html(report_of(mixed))
    for rule in ("prefers-color-scheme: dark", "max-width: 720px", "@media print"):
        assert rule in text


def test_pictures_are_drawn_and_have_a_title(mixed):
    pictures = re.findall(r"<svg.*?</svg>", as_html(report_of(mixed)))
    assert pictures
    assert all("<title>" in picture for picture in pictures)


def test_a_number_and_its_unit_stay_on_one_line_in_tiles_and_cards(mixed):
    page = as_html(report_of(mixed))
    parts = re.findall(r'<dl class="tile">.*?</dl>|<p class="small">[^<]* filled.*?</p>', page)
    assert parts
    for part in parts:
        assert not re.search(r"\d (%|bps)", part)
    assert "\u00a0%" in page
    assert "\u00a0bps" in page


@pytest.mark.parametrize(
    ("low", "high", "label"),
    [
        (-1.0, 1.0, '<span class="zero" style="top:50.0%">0</span>'),
        (-1.0, 3.0, '<span class="zero" style="top:75.0%">0</span>'),
        (-0.1, 9.0, ""),  # there the end of the scale has its label
    ],
)
def test_the_line_of_nothing_has_a_label(low, high, label):
    assert zero_label(low, high) == label


def test_a_scale_of_nothing_but_zeros_is_not_one_of_thousandths():
    assert bounds([Decimal(0)] * 3) == (-1.0, 1.0)
    assert bounds([Decimal("0.05"), Decimal("0.1")]) == pytest.approx((-0.008, 0.108))


def test_an_empty_report_says_so():
    report = report_of([])
    assert "no master orders" in as_html(report)
    assert json.loads(as_json(report))["orders"] == []
    assert as_csv(report, "orders").count(b"\n") == 1


def test_each_column_has_a_definition():
    defined = {name for each in definitions.ORDER for name in each.names.split()}
    assert defined == set(ORDER_COLUMNS)
    grouped = {name for each in definitions.GROUP for name in each.names.split()}
    assert grouped == {*DAY_COLUMNS, "algorithm"}


def test_the_page_of_definitions_is_what_the_command_prints(qehost, request):
    page = (request.config.rootpath / "DEFINITIONS.md").read_text(encoding="utf-8")
    assert qehost("stats", "definitions").stdout == page == definitions.as_markdown()


def test_a_day_is_utc():
    (order,) = report_of(numbered(worked("mo-1", 0))).orders
    assert order.day == datetime.fromtimestamp(START / 1000, UTC).strftime("%Y-%m-%d")
