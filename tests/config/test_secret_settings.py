"""Where the secrets of settings stand, and what may be shown of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qehost.config import secret_settings
from qehost.config.secret_settings import masked, referenced_variables, resolve
from qehost.secret import Secret


def test_a_secrets_file_counts_from_the_settings_folder(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" abc\n", encoding="utf-8")
    assert resolve({"file": "key"}, {}, tmp_path) == Secret("abc")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"env": "NOT_SET"}, "the environment variable NOT_SET is not set"),
        ({"file": "nowhere"}, "nowhere can't be read: No such file or directory"),
        ({"file": "empty"}, "empty is empty"),
        ({"file": "binary"}, "binary can't be read: it is no text in UTF-8"),
        ({"env": "A", "file": "B"}, 'expected { env = "NAME" } or { file = "PATH" }'),
        (12345678, 'expected { env = "NAME" } or { file = "PATH" }'),
    ],
)
def test_a_secret_that_is_not_there_is_told_and_not_shown(
    tmp_path: Path, value: Any, text: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r".") as caught:
        resolve(value, {}, tmp_path)
    assert str(caught.value).replace(f"{tmp_path}/", "") == text


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("token", Secret("abc"), "••••"),
        ("token", Secret(""), ""),
        ("token", {"env": "TOKEN"}, {"env": "TOKEN"}),
        ("bot_token", "abc", "••••"),
        ("api_key", "abc", "••••"),
        ("url", "https://user:pw@host/x", "https://••••@host/x"),
        ("urls", ["redis://:pw@host", "b"], ["redis://••••@host", "b"]),
        ("inner", {"password": "abc", "depth": 3}, {"password": "••••", "depth": 3}),
        ("symbol", "BTCUSDT", "BTCUSDT"),
        ("keyboard", "us", "us"),
    ],
)
def test_what_is_a_secret_or_looks_like_one_is_not_shown(name: str, value: Any, shown: Any) -> None:
    assert masked(name, value) == shown


KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f90"


@pytest.mark.parametrize("key", [KEY, KEY.upper(), "1234567890abcdef", f"{KEY}_x"])
@pytest.mark.parametrize("kind", ["env", "file"])
def test_a_key_that_stands_in_the_place_of_its_name_is_not_shown(
    tmp_path: Path, kind: str, key: str
) -> None:
    with pytest.raises(ValueError, match="looks like the secret itself") as caught:
        resolve({kind: key}, {}, tmp_path)
    assert key not in str(caught.value)
    assert masked("api_key", {kind: key}) == {kind: "••••"}


@pytest.mark.parametrize("name", ["QEHOST_API_KEY_2", "TOKEN1", "desk_token", "KEY_2026_11_28"])
def test_the_name_of_a_variable_that_is_not_set_is_shown(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"variable {name} is not set"):
        resolve({"env": name}, {}, tmp_path)


def test_the_variables_that_a_plugins_settings_name_are_found_at_any_depth_and_in_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(secret_settings, "secret_variables", hidden := set[str]())
    own = {
        "a": {"env": "ONE"},
        "b": [{"c": {"env": "TWO"}}],
        "d": {"file": "x"},
        "e": '[{ token = { env = "THREE" } }]',
        "f": '{ token = { env = "NOT_SET" }, no TOML }',
        "g": {"env": "NOT_SET"},
    }
    environ = dict.fromkeys(("ONE", "TWO", "THREE", "FOUR"), "a secret")
    found = referenced_variables(own, environ)
    assert found == dict.fromkeys(("ONE", "TWO", "THREE"), Secret("a secret"))
    assert hidden == {"ONE", "TWO", "THREE", "NOT_SET"}
