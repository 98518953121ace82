"""Fixtures of all tests."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more about what else runs on the machine than about the code.
settings.register_profile("qehost", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("qehost")

# What a shell starts in the background ignores Ctrl-C, and so do its children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no setting of whoever runs the tests gets into them."""
    for name in list(os.environ):
        if name.startswith("QEHOST_") and not name.startswith("QEHOST_TEST_"):
            monkeypatch.delenv(name)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost,::1")
