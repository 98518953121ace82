"""A page that is served in the test's own process, and a browser to look at it."""

import contextlib
import http.client
import json
import random
import shutil
import socket
import sys
import time
from pathlib import Path

import pytest
from qehost.testing import PluginHost

from qehost_dashboard import Dashboard

sys.path.insert(0, str(Path(__file__).parent))

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
HOW_TO_GET_IT = "Chromium is not here: apt-get install chromium fonts-wqy-microhei"
DEADLINE = 60.0
TOKEN = "correct-horse-battery-staple"
# What the page may have tried and its policy has refused.
VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


def wait_for(condition, what="it"):
    """Until it is true, and then what it gave."""
    until = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < until, f"{what} did not come"
        time.sleep(0.02)
    return found


def free_port():
    """One that nobody gets who asks for any, so it is still free after a restart."""
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Served:
    """A running page.  Events that are put into `deliver` reach it as in qehost."""

    def __init__(self, host):
        self.host = host
        self.port = host.plugin.port
        self.url = f"http://127.0.0.1:{self.port}/"

    def deliver(self, *events):
        self.host.deliver(*events)

    def ask(self, path, method="GET", body=None, **headers):
        """Status, headers and body of an answer."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, path, **headers):
        status, _, body = self.ask(path, **headers)
        assert status == 200, body
        return json.loads(body)

    def state_when(self, condition):
        """The whole state, once it is so."""

        def state():
            found = self.json("/api/state")
            return found if not found.get("loading") and condition(found) else None

        return wait_for(state, "the state")


@pytest.fixture
def serve(plugin_host):
    """Start the plugin: serve({"token": …}, history=[…]) is a Served."""

    def start(config=None, **options):
        return Served(plugin_host(Dashboard, {"port": 0, **(config or {})}, **options))

    return start


@pytest.fixture(scope="module")
def open_page():
    """One without a token, for all tests of a module that only ask."""
    with PluginHost(Dashboard, {"port": 0}) as host:
        yield Served(host)


@pytest.fixture(scope="module")
def closed_page():
    """One that needs TOKEN."""
    with PluginHost(Dashboard, {"port": 0, "token": TOKEN}) as host:
        yield Served(host)


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip(HOW_TO_GET_IT)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=DEADLINE * 1000)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


class Looking:
    """Opens pages, and knows what went wrong in any of them."""

    def __init__(self, browser):
        self._browser = browser
        self._contexts = []
        self.wrong = []
        self.expected = ()
        """Parts of console messages that belong to the test: of a server that is away."""

    def context(self, width=1280, height=900, **options):
        options.setdefault("locale", "en-GB")
        made = self._browser.new_context(viewport={"width": width, "height": height}, **options)
        made.set_default_timeout(DEADLINE * 1000)
        made.add_init_script(VIOLATIONS)
        self._contexts.append(made)
        return made

    def open(self, url, context=None, **options):
        page = (context or self.context(**options)).new_page()
        page.on("console", lambda message: self._said(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.goto(url)
        return page

    def _said(self, text):
        if not any(part in text for part in self.expected):
            self.wrong.append(text)

    def close(self):
        for context in self._contexts:
            for page in context.pages:
                self.wrong += page.evaluate("window.violations ?? []")
            context.close()
        assert self.wrong == []


@pytest.fixture
def look(browser):
    """Open pages: look.open(url, width=360, color_scheme="dark")."""
    looking = Looking(browser)
    yield looking
    looking.close()
