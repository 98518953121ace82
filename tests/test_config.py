"""The settings: four sources, one order, every mistake at once, no secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from qehost import config
from qehost.errors import ConfigError
from qehost.secret import Secret


def written(folder: Path, text: str) -> Path:
    file = folder / "qehost.toml"
    file.write_text(text, encoding="utf-8")
    return file


def mistakes(file: Path | None = None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.load(file, environ=environ or {})
    # The file's folder is only known here.
    return [m.replace(f"{file.parent}/", "") if file else m for m in caught.value.mistakes]


def test_without_any_source_everything_has_its_default() -> None:
    settings = config.load(environ={}).settings
    assert list(settings.accounts) == ["main"]
    assert settings.accounts["main"].ws_url == "wss://test.quantumexecute.com"
    assert settings.accounts["main"].api_key is None
    assert settings.connection.reconnect_delay == 5.0


def test_flags_come_before_the_environment_before_the_file_before_defaults(
    tmp_path: Path,
) -> None:
    file = written(tmp_path, '[accounts.main]\nws_url = "ws://file"\nproxy = "none"\n')
    environ = {"QEHOST_ACCOUNTS__MAIN__WS_URL": "ws://environment"}

    def url(flags: dict[str, str], environ: dict[str, str], file: Path | None) -> str:
        return config.load(file, flags, environ).settings.accounts["main"].ws_url

    assert url({"ws_url": "ws://flag"}, environ, file) == "ws://flag"
    assert url({}, environ, file) == "ws://environment"
    assert url({}, {}, file) == "ws://file"
    assert url({}, {}, None) == "wss://test.quantumexecute.com"
    assert config.load(file, {}, environ).settings.accounts["main"].proxy == Secret("none")


def test_each_setting_tells_where_it_came_from(tmp_path: Path) -> None:
    file = written(tmp_path, "\n[connection]\n# quiet streams\nping_interval = 3\n")
    environ = {"QEHOST_CONNECTION__PONG_TIMEOUT": "4"}
    places = config.load(file, {"ws_url": "ws://x"}, environ).places
    assert places["connection.ping_interval"] == f"{file}:4"
    assert places["connection.pong_timeout"] == "$QEHOST_CONNECTION__PONG_TIMEOUT"
    assert places["accounts.main.ws_url"] == "--ws-url"


def test_credentials_come_from_the_environment_without_any_file() -> None:
    environ = {"QEHOST_API_KEY": "key-of-mine", "QEHOST_API_SECRET": "secret-of-mine"}
    account = config.load(environ=environ).settings.accounts["main"]
    assert account.api_key == Secret("key-of-mine")
    assert account.api_secret is not None
    assert account.api_secret.reveal() == "secret-of-mine"


def test_a_secret_can_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abcdef\n", encoding="utf-8")
    file = written(
        tmp_path,
        f'[accounts.main]\napi_key = {{ file = "{tmp_path}/key" }}\n'
        'api_secret = { env = "MINE" }\n',
    )
    account = config.load(file, environ={"MINE": "s"}).settings.accounts["main"]
    assert account.api_key == Secret("abcdef")


def test_a_secret_written_into_the_file_works_and_is_warned_about(tmp_path: Path) -> None:
    file = written(tmp_path, '[accounts.main]\nlisten_key = "0123456789abcdef"\n')
    loaded = config.load(file, environ={})
    (warning,) = loaded.warnings
    assert "qehost.toml:2" in warning
    assert "0123456789abcdef" not in warning + repr(loaded)


def test_every_mistake_is_found_at_once_and_names_its_place(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "\n".join(
            [
                "[accounts.main]",
                'ws_url = "http://wrong"',
                'api_key = { env = "NOT_SET" }',
                "[connection]",
                "ping_intervall = 3",
                'pong_timeout = "soon"',
                "reconnect_delay = -1",
                "[jornal]",
                'keep = "7d"',
            ]
        ),
    )
    assert sorted(mistakes(file)) == [
        "qehost.toml:2: accounts.main.ws_url: 'http://wrong' is no URL of the form wss://host[:port]",
        "qehost.toml:3: accounts.main.api_key: the environment variable NOT_SET is not set",
        "qehost.toml:5: connection.ping_intervall: unknown setting (did you mean ping_interval?)",
        'qehost.toml:6: connection.pong_timeout: expected a number > 0 and ≤ 86,400, got "soon"',
        "qehost.toml:7: connection.reconnect_delay: expected a number > 0 and ≤ 86,400, got -1",
        "qehost.toml:9: jornal.keep: unknown setting (did you mean journal?)",
    ]


def test_a_mistyped_variable_is_a_mistake_too() -> None:
    (mistake,) = mistakes(environ={"QEHOST_CONNECTION__PING_INTERVALL": "3"})
    assert mistake.startswith("$QEHOST_CONNECTION__PING_INTERVALL: ")
    assert "ping_interval" in mistake


def test_half_of_the_credentials_is_a_mistake() -> None:
    (mistake,) = mistakes(environ={"QEHOST_API_KEY": "abcdefgh"})
    assert "api_secret" in mistake
    assert "abcdefgh" not in mistake


def test_no_listen_key_hides_in_a_url(tmp_path: Path) -> None:
    file = written(tmp_path, '[accounts.main]\nws_url = "wss://host/?listen_key=abc"\n')
    assert "listen key has a setting of its own" in mistakes(file)[0]


def test_a_flag_for_one_of_several_accounts_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, '[accounts.one]\nproxy="none"\n[accounts.two]\nproxy="none"\n')
    with pytest.raises(ConfigError, match="there are 2 accounts"):
        config.load(file, {"ws_url": "ws://x"}, {})


def test_a_plugins_own_settings_are_kept_for_it(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[plugins.console]\norder = 3\nstyle = "lines"\n[plugins.console.colours]\nbuy = "green"\n',
    )
    environ = {"QEHOST_PLUGINS__CONSOLE__FILLS": "7"}
    plugin = config.load(file, environ=environ).settings.plugins["console"]
    assert plugin.order == 3
    assert plugin.own == {"style": "lines", "colours": {"buy": "green"}, "fills": "7"}


@pytest.mark.parametrize("text", ["[", "x = ", "\x00"])
def test_a_broken_file_is_one_clear_mistake(tmp_path: Path, text: str) -> None:
    (mistake,) = mistakes(written(tmp_path, text))
    assert mistake.startswith("qehost.toml:1: not valid TOML: ") or "at end of" in mistake


def test_a_file_that_is_not_there_is_one_clear_mistake(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path / "nowhere.toml")
    assert "nowhere.toml: can't be read" in mistake


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90.0), ("15m", 900.0), ("1.5h", 5400.0), ("7d", 604_800.0)]
)
def test_durations(text: str, expected: float) -> None:
    assert config.seconds(text) == expected
