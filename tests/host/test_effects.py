"""What is noted of a plugin; the whole is in cli/test_compare.py."""

from __future__ import annotations

import logging

import pytest

from qehost.errors import TransportError
from qehost.host.effects import Effects
from qehost.secret import Secret


def test_what_is_logged_and_printed_is_noted_in_order_and_goes_nowhere_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    effects = Effects()
    root = logging.getLogger()
    before = list(root.handlers)
    with effects.collected():
        print("one")
        logging.getLogger("qehost.plugin.mine").warning("two")
        logging.getLogger("library").error("three")
        logging.getLogger("qehost.host").error("not of the plugin")
        print("four\nfive")
    assert effects.take() == [
        "printed one",
        "WARNING two",
        "ERROR three",
        "printed four",
        "printed five",
    ]
    assert effects.take() == []
    assert capsys.readouterr().out == ""
    assert root.handlers == before


def test_an_action_is_noted_and_answered_as_done() -> None:
    effects = Effects()
    api = effects.api("mine", "main")
    assert api.cancel_master_order_v2("m-1")["success"] is True
    assert effects.take() == ["PUT /user/trading/v2/master-orders/m-1/cancel of account main"]
    with pytest.raises(TransportError, match="no venue"):
        api.master_order("m-1")
    api.close()


def test_what_is_raised_and_what_is_wrong_is_noted_without_secrets() -> None:
    effects = Effects()
    secret = Secret("a-password-of-the-plugin").reveal()
    effects.failed("mine", "on_fill", None, ValueError(secret))
    effects.problem("mine", "disk", "full")
    effects.problem("mine", "disk", "")
    raised, *others = effects.take()
    assert raised.startswith("on_fill raised ValueError: ")
    assert "password" not in raised
    assert others == ["problem disk: full", "problem disk: no longer"]
