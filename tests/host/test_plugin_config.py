"""From the section of a plugin to its `Config`, with every mistake and its path."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qehost.errors import ConfigError
from qehost.host.plugin_config import configure
from qehost.secret import Secret


class Target(msgspec.Struct):
    symbol: str = ""
    limits: list[int] = []


class Config(msgspec.Struct):
    port: int
    token: Secret | None = None
    targets: list[Target] = []
    ratio: float = 0.5
    verbose: bool = False


def made(**own: Any) -> Any:
    return configure(Config, own, "plugins.sink")


def mistakes(**own: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        made(**own)
    return caught.value.mistakes


def test_what_is_given_is_converted_and_the_rest_has_its_default() -> None:
    config = made(port=80, targets=[{"symbol": "BTCUSDT", "limits": [1, 2]}])
    assert config == Config(80, None, [Target("BTCUSDT", [1, 2])])


def test_texts_of_the_environment_are_read_as_what_is_needed() -> None:
    config = made(port="80", ratio="0.25", verbose="true", targets='[{ symbol = "x" }]')
    assert config == Config(80, None, [Target("x")], 0.25, True)


def test_a_secret_is_resolved_from_where_it_is(tmp_path: Path) -> None:
    variables = {"TOKEN_OF_MINE": Secret("from-the-environment")}
    (tmp_path / "token").write_text("from-a-file-of-mine\n")
    for given, text in (
        ({"env": "TOKEN_OF_MINE"}, "from-the-environment"),
        ({"file": "token"}, "from-a-file-of-mine"),
    ):
        own = {"port": 1, "token": given}
        config = configure(Config, own, "plugins.sink", folder=str(tmp_path), variables=variables)
        assert config.token.reveal() == text


def test_a_secret_that_was_written_down_is_warned_about_and_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made(port=1, token="written-down-by-me")
    assert "plugins.sink.token: stands in the file" in caplog.text
    assert "written-down" not in caplog.text


def test_every_mistake_is_told_at_once_with_its_path() -> None:
    told = mistakes(
        ratio="much", targets=[{"symbol": 3, "limit": 1}], tokn={"env": "X"}, verbose="perhaps"
    )
    for part in (
        "plugins.sink.port: a value is needed (a whole number)",
        'plugins.sink.ratio: expected a number, got "much"',
        "plugins.sink.targets[0].symbol: expected",
        "plugins.sink.targets[0].limit: unknown setting (did you mean limits?)",
        "plugins.sink.tokn: unknown setting (did you mean token?)",
        'plugins.sink.verbose: expected true or false, got "perhaps"',
    ):
        assert [each for each in told if each.startswith(part)], (part, told)
    assert len(told) == 6


def test_a_mistyped_name_of_qehosts_own_is_recognized() -> None:
    assert "plugins.sink.proces: unknown setting (did you mean process?)" in mistakes(
        port=1, proces="own"
    )
    (told,) = mistakes(port=1, zzz=1)
    assert "known here: port, " in told
    assert "enabled, process, order" in told


def test_a_decimal_that_is_none_is_told_with_its_text() -> None:
    class Limits(msgspec.Struct):
        limit: Decimal = Decimal(1)

    with pytest.raises(ConfigError) as caught:
        configure(Limits, {"limit": "many"}, "plugins.sink")
    assert caught.value.mistakes == ['plugins.sink.limit: expected a number, got "many"']


def test_a_mistake_says_where_the_setting_stands() -> None:
    with pytest.raises(ConfigError) as caught:
        configure(
            Config,
            {"port": "x"},
            "plugins.sink",
            places={"plugins.sink.port": "$QEHOST_PLUGINS__SINK__PORT"},
        )
    (told,) = caught.value.mistakes
    assert told.startswith("$QEHOST_PLUGINS__SINK__PORT")
