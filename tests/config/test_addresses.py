"""Credentials go in plain text to no other machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from qehost import config
from qehost.config.addresses import is_exposed_on_the_way
from qehost.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "is_exposed"),
    [
        ("wss://venue.example", False),
        ("https://venue.example", False),
        ("ws://127.0.0.1:8000", False),
        ("ws://127.9.9.9", False),
        ("http://[::1]:8000", False),
        ("http://localhost:8000", False),
        ("http://venue.localhost.", False),
        ("ws://venue.example", True),
        ("http://10.0.0.7", True),
        ("http://[fe80::1]", True),
        ("ws://localhost.example", True),
        ("ws://0.0.0.0", True),
    ],
)
def test_which_addresses_others_on_the_way_can_listen_to(url: str, is_exposed: bool) -> None:
    assert is_exposed_on_the_way(url) is is_exposed


KEYS = {"QEHOST_API_KEY": "key-0123456789", "QEHOST_API_SECRET": "secret-0123456789"}
LISTEN_KEY = {"QEHOST_LISTEN_KEY": "listen-0123456789"}
WS, REST = {"ws_url": "ws://10.0.0.7"}, {"rest_url": "http://10.0.0.7"}


@pytest.mark.parametrize(
    ("flags", "environ", "refused"),
    [
        (WS, KEYS, "ws_url: ws://10.0.0.7 would send the listen key in plain text"),
        (WS, LISTEN_KEY, "ws_url: ws://10.0.0.7 would send the listen key in plain text"),
        (REST, KEYS, "rest_url: http://10.0.0.7 would send the API key and signed calls"),
        (REST, LISTEN_KEY, ""),
        ({**WS, **REST}, {}, ""),
    ],
)
def test_credentials_go_in_plain_text_to_no_other_machine_unless_that_is_wanted(
    flags: dict[str, str], environ: dict[str, str], refused: str
) -> None:
    if refused:
        with pytest.raises(ConfigError, match=refused) as caught:
            config.load(None, flags, environ)
        assert "use wss://" in str(caught.value) or "use https://" in str(caught.value)
    else:
        config.load(None, flags, environ)
    config.load(None, {**flags, "insecure": True}, environ)
    config.load(None, flags, {**environ, "QEHOST_ACCOUNTS__MAIN__INSECURE": "true"})


def test_the_flag_is_for_every_account(tmp_path: Path) -> None:
    account = 'ws_url = "ws://10.0.0.7"\nlisten_key = { env = "KEY" }\n'
    file = tmp_path / "qehost.toml"
    file.write_text(f"[accounts.one]\n{account}[accounts.two]\n{account}")
    environ = {"KEY": "0123456789"}
    with pytest.raises(ConfigError) as caught:
        config.load(file, {}, environ)
    assert len(caught.value.mistakes) == 2
    config.load(file, {"insecure": True}, environ)
