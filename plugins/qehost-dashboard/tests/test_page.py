"""The page in a real browser, as a trader sees and uses it."""

import os
import time
from contextlib import closing
from pathlib import Path

import pytest
from conftest import AXE, TOKEN, free_port, wait_for
from lives import day, refused, renumbered, source, working
from playwright.sync_api import expect
from test_stream import Client

EVENTS = int(os.environ.get("QEHOST_TEST_DASHBOARD_EVENTS", "3000"))
"""For the test of memory; the promise is about an hour of them."""
SHOTS = os.environ.get("QEHOST_TEST_DASHBOARD_SHOTS", "")
"""A folder: pictures of the page are kept there."""


@pytest.fixture
def served(serve):
    """A page with a day's orders, of two accounts."""
    running = serve(accounts=("main", "desk-2"))
    running.deliver(*day())
    running.deliver(*working(source("desk-2"), "mo-9", symbol="XRPUSDT"))
    running.state_when(lambda state: len(state["changes"].get("masters", [])) == 5)
    return running


def rows(page):
    return page.locator("#orders tbody tr")


def button(page, text):
    return page.locator("#orders button.order", has_text=text)


def test_it_opens_with_what_there_is_and_fills_with_what_comes(served, look):
    page = look.open(served.url)
    expect(rows(page)).to_have_count(3)
    expect(page.locator("#alive")).to_have_text("Live")
    events = source("desk-2", ago=5)
    served.deliver(*working(events, "mo-10", symbol="DOGEUSDT", seq=100)[:1])
    expect(rows(page)).to_have_count(4)
    expect(button(page, "DOGEUSDT")).to_be_visible()


def test_a_row_has_the_figures_with_all_their_digits(served, look):
    page = look.open(served.url)
    row = rows(page).filter(has_text="BTCUSDT")
    for text in ("0.6 / 1.5", "0.9", "97,000", "40.0 %", "working"):
        expect(row).to_contain_text(text)
    expect(row.locator("td").nth(8)).to_have_text("1")  # the rejected child order


def test_what_went_wrong_is_told_in_the_venues_words(served, look):
    page = look.open(served.url)
    page.locator("#tab-problems").click()
    expect(page.locator("#problems tbody tr").first).to_contain_text("No funds")
    expect(page.locator("#problems")).to_contain_text("Margin is insufficient")
    served.deliver(refused(source("desk-2", ago=1), "mo-9", "Price is out of range", seq=200))
    expect(page.locator("#announced")).to_contain_text("Price is out of range")


def test_text_of_the_venue_is_never_markup(serve, look):
    evil = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'
    served = serve()
    events = source()
    made = working(events, "mo-1", symbol=evil, notes=evil, client_order_id=evil)
    served.deliver(*made, refused(events, "mo-1", evil, symbol=evil))
    page = look.open(served.url)
    button(page, "<img").click()
    expect(page.locator("#detail h2")).to_contain_text("<img")
    expect(page.locator("#detail .problems")).to_contain_text("onerror")
    for name in ("fills", "problems", "past"):
        page.locator(f"#tab-{name}").click()
        expect(page.locator(f"#{name} tbody")).to_contain_text("<img")
    assert page.evaluate("window.broken") is None


def test_filters_leave_what_was_asked_for(served, look):
    page = look.open(served.url)
    expect(rows(page)).to_have_count(3)
    page.locator("#text").fill("eth sell")
    expect(rows(page)).to_have_count(1)
    page.locator("#text").fill("nothing like it")
    expect(page.locator("#orders .empty")).to_have_text("No master order matches.")
    page.locator("#text").fill("")
    page.locator("#which").select_option("look")
    expect(rows(page).filter(has_text="c-mo-1")).to_have_count(1)  # a child order was rejected
    expect(rows(page).and_(page.locator("[data-ended]"))).to_have_count(0)
    page.locator("#which").select_option("ended")
    expect(rows(page)).to_have_count(2)
    page.locator("#which").select_option("all")
    page.locator("#account").select_option("desk-2")
    expect(rows(page)).to_have_count(1)


def test_an_order_is_looked_at_with_its_pictures_and_child_orders(served, look):
    page = look.open(served.url)
    button(page, "BTCUSDT").click()
    detail = page.locator("#detail")
    expect(detail.locator("h2")).to_have_text("BTCUSDT buy TWAP")
    expect(detail.locator(".facts")).to_contain_text("+20 % / −10 %")
    expect(detail.locator(".facts")).to_contain_text("102.04 bps")
    expect(detail.locator("canvas")).to_have_count(2)
    expect(detail).to_contain_text("Margin is insufficient")
    assert "#orders/main%2Fmo-1" in page.url
    button(page, "ETHUSDT").click()
    expect(detail.locator("h2")).to_have_text("ETHUSDT sell VWAP")
    button(page, "BTCUSDT").click()
    events = source(ago=1)
    child = {"master_order_id": "mo-1", "id": "v-2", "order_id": "x-2", "quantity": "0.5"}
    update = events.order(**child, filled_quantity="0.5", seq=100)
    served.deliver(update, events.fill_of(update, "0.5", seq=101))
    for part in (detail.locator(".facts"), rows(page).filter(has_text="BTCUSDT")):
        expect(part).to_contain_text("1.1 / 1.5")
    expect(detail).to_contain_text("x-2")
    page.reload()
    expect(page.locator("#detail h2")).to_have_text("BTCUSDT buy TWAP")


def test_it_pages_into_the_past_and_back(served, look):
    events = source("desk-2", ago=50)
    many = [refused(events, "mo-9", f"reason {n}", n, seq=300 + n) for n in range(230)]
    served.deliver(*many)
    page = look.open(served.url)
    page.locator("#account").select_option("desk-2")
    page.locator("#tab-past").click()
    found = page.locator("#past tbody tr")
    expect(found).to_have_count(100)
    expect(found.first).to_contain_text("529")
    page.get_by_role("button", name="Older").click()
    expect(found.first).to_contain_text("429")
    page.get_by_role("button", name="Older").click()
    expect(found).to_have_count(35)
    expect(page.get_by_role("button", name="Older")).to_be_disabled()
    page.get_by_role("button", name="Newer").click()
    expect(found.first).to_contain_text("429")
    page.locator("#kinds").select_option("fill")
    expect(found).to_have_count(1)


def focused(page):
    return page.evaluate(
        "document.activeElement.id || document.activeElement.textContent.slice(0, 30)"
    )


def test_all_of_it_can_be_used_by_keys_alone(served, look):
    page = look.open(served.url)
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the orders"
    seen = []
    for _ in range(8):
        page.keyboard.press("Tab")
        seen.append(focused(page))
        ring = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(ring) != "none", seen
    assert seen[:5] == ["language", "tab-orders", "text", "account", "which"]
    page.keyboard.press("/")
    assert focused(page) == "text"
    page.keyboard.type("BTC")
    expect(rows(page)).to_have_count(1)
    page.keyboard.press("Escape")
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("Escape")
    assert focused(page) != "text"
    first = page.locator("#orders button.order").first
    first.focus()
    page.keyboard.press("ArrowDown")
    name = focused(page)
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    assert focused(page) == name
    page.keyboard.press("2")
    expect(page.locator("#fills")).to_be_visible()
    expect(page.locator("#tab-fills")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#problems")).to_be_visible()


AUDIT = """
async () => {
  const found = await axe.run(document, {resultTypes: ["violations", "incomplete"]});
  const told = (list) => list.map((each) => `${each.id}: ${each.nodes.map((n) => n.html + " " +
    [...n.any, ...n.all, ...n.none].map((c) => c.message).join(" ")).join("; ")}`);
  return [...told(found.violations), ...told(found.incomplete)];
}
"""


@pytest.mark.parametrize(
    ("width", "scheme", "locale"),
    [
        (360, "light", "zh-CN"),
        (768, "dark", "en-GB"),
        (1920, "light", "en-GB"),
        (1920, "dark", "zh-CN"),
    ],
)
def test_each_view_fits_and_is_fit_for_all(served, look, width, scheme, locale):
    page = look.open(served.url, width=width, color_scheme=scheme, locale=locale)
    expect(rows(page)).to_have_count(3)
    page.evaluate(AXE.read_text())
    lang = "zh-CN" if locale == "zh-CN" else "en"
    assert page.evaluate("document.documentElement.lang") == lang
    for view in ("orders", "fills", "problems", "guard", "past", "detail"):
        if view == "detail":
            # All of it in the window: what an edge cuts has no background that can be judged.
            page.set_viewport_size({"width": width, "height": 2600})
            page.locator("#tab-orders").click()
            button(page, "BTCUSDT").click()
            expect(page.locator("#detail canvas")).to_have_count(2)
        else:
            page.locator(f"#tab-{view}").click()
            expect(page.locator(f"#{view} .empty, #{view} tbody tr").first).to_be_attached()
        sizes = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
        assert sizes[0] == width
        assert sizes[1] <= width
        if SHOTS:
            name = f"{view}-{width}-{scheme}-{lang}.png"
            page.screenshot(path=Path(SHOTS) / name)
        assert page.evaluate(AUDIT) == [], view


def test_the_language_is_the_settings_or_the_browsers_until_the_reader_chooses(serve, look):
    page = look.open(serve({"lang": "zh"}).url)
    expect(page.locator("#tab-orders")).to_have_text("订单")
    expect(page.locator("#orders .empty")).to_have_text("没有符合条件的母单。")
    page.locator("#language").click()
    expect(page.locator("#tab-orders")).to_have_text("Orders")
    page.reload()
    expect(page.locator("#tab-orders")).to_have_text("Orders")


def test_with_a_token_it_asks_for_it_and_lets_go_again(serve, look):
    served = serve({"token": TOKEN})
    look.expected = ("401",)
    page = look.open(served.url)
    page.evaluate(AXE.read_text())
    assert page.evaluate(AUDIT) == []
    page.locator("#token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#wrong")).to_have_text("This is not the token.")
    page.locator("#token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#alive")).to_have_text("Live")
    assert page.evaluate("document.cookie") == ""
    page.locator("#logout").click()
    expect(page.locator("#token")).to_be_visible()


def test_eight_tabs_live_on_one_stream_and_the_next_one_has_it_when_one_closes(serve, look):
    served = serve({"clients": 2})  # while one closes, the next one opens
    context = look.context()
    tabs = [look.open(served.url, context) for _ in range(8)]
    events = source()
    served.deliver(*working(events, "mo-1"))
    for tab in tabs:
        expect(rows(tab)).to_have_count(1)
    for left in (7, 6):
        tabs.pop(0).close()
        served.deliver(*working(events, f"mo-{left}"))
        for tab in tabs:
            expect(rows(tab)).to_have_count(9 - left)
            expect(tab.locator("#alive")).to_have_text("Live")


def test_after_a_refusal_it_tries_again(serve, look):
    served = serve({"clients": 1})
    first = Client(served)
    assert first.status().endswith("200 OK")
    look.expected = ("503",)
    page = look.open(served.url)
    expect(page.locator("#alive")).not_to_have_text("Live")
    first.close()
    expect(page.locator("#alive")).to_have_text("Live")
    served.deliver(*working(source(), "mo-1"))
    expect(rows(page)).to_have_count(1)


def test_while_the_server_is_away_it_says_so_and_after_a_restart_it_goes_on(serve, look):
    served = serve({"port": free_port()})
    served.deliver(*working(source(), "mo-1"))
    look.expected = ("ERR_", "net::", "503")
    page = look.open(served.url)
    expect(rows(page)).to_have_count(1)
    served.host.stop()
    expect(page.locator("#alive")).to_contain_text("Stale since")
    assert "Stale" in page.title()
    again = serve({"port": served.port}, history=renumbered(working(source(), "mo-2")))
    expect(page.locator("#alive")).to_have_text("Live")
    expect(rows(page)).to_have_count(1)
    expect(page.locator("#orders")).to_contain_text("c-mo-2")
    again.deliver(*working(source(ago=1), "mo-3", seq=1000)[:1])
    expect(rows(page)).to_have_count(2)


def traffic(orders=100):
    """Events without end: fills of a hundred orders in turn.  Each moves the order's bar."""
    events = source()
    for number in range(orders):
        yield from working(events, f"mo-{number}", total_quantity="100")[:2]
    turn = 0
    while True:
        turn += 1
        for number in range(orders):
            child = {"master_order_id": f"mo-{number}", "id": f"v-{number}-{turn}"}
            child |= {"order_id": f"x-{number}-{turn}", "quantity": "1"}
            yield events.order(**child)
            done = events.order(**child, status="FILLED", filled_quantity="1")
            yield done
            yield events.fill_of(done, "1")


def measured(session):
    found = session.send("Performance.getMetrics")["metrics"]
    return {each["name"]: each["value"] for each in found}


def test_much_traffic_costs_the_browser_few_layouts(serve, look):
    served = serve()
    events = traffic()
    served.deliver(*(next(events) for _ in range(200)))
    page = look.open(served.url, width=1600)
    expect(rows(page)).to_have_count(100)
    session = page.context.new_cdp_session(page)
    # The processor's time of its main thread: on a busy machine the clock's says nothing.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    batches = [[next(events) for _ in range(50)] for _ in range(50)]
    before, begun = measured(session), time.monotonic()
    for number, batch in enumerate(batches, 1):
        served.deliver(*batch)
        time.sleep(max(0.0, begun + number * 0.1 - time.monotonic()))
    after = measured(session)
    seconds = time.monotonic() - begun
    layouts = (after["LayoutCount"] - before["LayoutCount"]) / seconds
    busy = (after["TaskDuration"] - before["TaskDuration"]) / seconds
    print(f"{2500 / seconds:.0f} events/s: {layouts:.1f} layouts and {busy * 1000:.0f} ms a second")
    assert layouts <= 12
    assert busy < 0.5  # it is 0.1; a page that draws each message has 0.8


def test_memory_stays_flat(serve, look):
    served = serve(accounts=("main", "desk-2"))
    events, ends = traffic(), source("desk-2", ago=-60)
    page = look.open(served.url)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    seen = []
    for part in range(3):
        for _ in range(EVENTS // 300):
            served.deliver(*(next(events) for _ in range(100)))
        # What comes last is here, so all the rest was.
        served.deliver(ends.master_order(master_order_id=f"end-{part}", client_order_id=""))
        expect(page.locator("#orders")).to_contain_text(f"end-{part}")
        session.send("HeapProfiler.collectGarbage")
        found = measured(session)
        seen.append((found["JSHeapUsedSize"], found["Nodes"]))
    print(f"{EVENTS} events: heap and nodes by thirds {seen}")
    assert seen[2][0] < 1.2 * seen[1][0] + 1e6
    assert seen[2][1] < 1.2 * seen[1][1] + 500


def test_a_tab_without_locks_closes_its_stream_while_it_is_hidden(serve, look):
    served = serve({"clients": 1})
    look.expected = ("503",)  # while the stream of `has_place` ends
    context = look.context()
    context.add_init_script("Object.defineProperty(navigator, 'locks', {value: undefined})")
    page = look.open(served.url, context)
    expect(page.locator("#alive")).to_have_text("Live")
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)

    def has_place():
        with closing(Client(served)) as client:
            return client.status().endswith("200 OK")

    wait_for(has_place, "the end of its stream")
    page.evaluate(hide, False)
    served.deliver(*working(source(), "mo-1"))
    expect(rows(page)).to_have_count(1)
    expect(page.locator("#alive")).to_have_text("Live")
