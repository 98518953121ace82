"""Fixtures of all tests."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more about what else runs on the machine than about the code.
settings.register_profile(
    "qehost", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
# The same examples each time, so that a run says something about a change; with this variable
# others each time, to look for what they don't show.
settings.register_profile("explore", settings.get_profile("qehost"), derandomize=False)
settings.load_profile("explore" if os.environ.get("QEHOST_TEST_EXPLORE") else "qehost")

# What a shell starts in the background ignores Ctrl-C, and so do its children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test keeps secret may be an ordinary word in the next."""
    monkeypatch.setattr("qehost.secret._known", {})


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no setting of whoever runs the tests gets into them."""
    for name in list(os.environ):
        if name.startswith("QEHOST_") and not name.startswith("QEHOST_TEST_"):
            monkeypatch.delenv(name)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost,::1")


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_open() -> Iterator[None]:
    """What a test forgot to close is told here, not where it happens to be collected."""
    yield
    gc.collect()
