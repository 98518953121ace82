"""Sources in their order, every mistake at once with its place, and what is then known."""

from __future__ import annotations

import json
import re
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
    assert settings.connection.reconnect_delay == 2.0


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


@pytest.mark.parametrize("variable", ["QEHOST_ACCOUNTS__MAIN__API_KEY", "QEHOST_API_KEY"])
def test_a_variable_may_say_where_a_secret_is_as_the_file_may(
    tmp_path: Path, variable: str
) -> None:
    (tmp_path / "key").write_text("\ufeffabcdef\n", encoding="utf-8")

    def key(text: str) -> Secret | None:
        environ = {variable: text, "QEHOST_API_SECRET": "s", "OTHER": "{ file = 'key' }"}
        return config.load(environ=environ).settings.accounts["main"].api_key

    assert key(f' {{ file = "{tmp_path}/key" }} ') == Secret("abcdef")
    # What is no table is the secret, and what is one can come from elsewhere.
    assert key("{begins with a brace") == Secret("{begins with a brace")
    assert key('{ env = "OTHER" }') == Secret("{ file = 'key' }")
    with pytest.raises(ConfigError, match=r"\$QEHOST_.*: expected \{ env = "):
        key('{ fil = "key" }')


def test_a_variable_may_say_where_a_plugins_secret_is() -> None:
    environ = {
        "QEHOST_PLUGINS__SINK__INNER__TOKEN": '{ env = "MINE" }',
        "QEHOST_PLUGINS__SINK__A": "{b",
    }
    own = config.load(environ=environ).settings.plugins["sink"].own
    assert own == {"inner": {"token": {"env": "MINE"}}, "a": "{b"}


def test_a_secret_written_into_the_file_works_and_is_warned_about(tmp_path: Path) -> None:
    file = written(tmp_path, '[accounts.main]\nlisten_key = "0123456789abcdef"\n')
    file.chmod(0o600)
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


def test_what_a_plugin_wants_is_read_from_file_and_environment(tmp_path: Path) -> None:
    file = written(tmp_path, '[plugins.sink]\nkinds = ["fill"]\nmax_events = 500\n')
    environ = {
        "QEHOST_PLUGINS__SINK__SYMBOLS": '["BTCUSDT", "ETHUSDT"]',
        "QEHOST_PLUGINS__SINK__MAX_WAIT": "2.5",
    }
    sink = config.load(file, environ=environ).settings.plugins["sink"]
    assert (sink.kinds, sink.symbols) == (["fill"], ["BTCUSDT", "ETHUSDT"])
    assert (sink.max_events, sink.max_wait) == (500, 2.5)
    assert sink.own == {}


def test_what_a_plugin_can_not_want_is_a_mistake_with_its_place(tmp_path: Path) -> None:
    file = written(tmp_path, '[plugins.sink]\nkinds = ["fills"]\nsymbols = [1]\nmax_events = 0\n')
    found = mistakes(file, {"QEHOST_PLUGINS__SINK__MAX_WAIT": "0"})
    assert len(found) == 4
    assert found[0].startswith("qehost.toml:2: plugins.sink.kinds: expected a list, each ")
    assert any("max_events: expected a whole number ≥ 1" in text for text in found)
    assert any("max_wait: expected a number > 0" in text for text in found)


def test_an_empty_section_is_none_the_worse(tmp_path: Path) -> None:
    file = written(tmp_path, "[accounts.two]\n[connection]\n[plugins.console]\n")
    settings = config.load(file, environ={}).settings
    assert list(settings.accounts) == ["two"]
    assert list(settings.plugins) == ["console"]
    assert settings.plugins["console"].own == {}


def test_a_mistyped_short_variable_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"QEHOST_API_KYE.*did you mean api_key\?"):
        config.load(written(tmp_path, ""), environ={"QEHOST_API_KYE": "k"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[connection]\ndrain_timeout = 3",
            "2: connection.drain_timeout: unknown setting (there is one of this name in [host])",
        ),
        (
            'proxy = "none"',
            "1: proxy: unknown setting (there is one of this name in [accounts.NAME])",
        ),
        ("[log]\nzzz = 1", "2: log.zzz: unknown setting (known here: level, format)"),
        ("[conection]", "1: conection: unknown setting (did you mean connection?)"),
        ("connection = 3", "1: connection: is a section, written as [connection]"),
        ("[accounts]\nmain = 3", "2: accounts.main: is a section, written as [accounts.main]"),
        ("[plugins]\nx = true", "2: plugins.x: is a section, written as [plugins.x]"),
        (
            "[connection]\nping_interval = { every = 3 }",
            "2: connection.ping_interval.every: is no table, it takes one value: ping_interval = …",
        ),
        (
            "[connection]\nping_interval = nan",
            "2: connection.ping_interval: expected a number > 0 and ≤ 86,400, got nan",
        ),
        (
            "[connection]\nheartbeat = true",
            '2: connection.heartbeat: expected "frame" or "text", got true',
        ),
        (
            '[journal]\nkeep = "a week"',
            '2: journal.keep: expected a number with s, m, h or d, such as "12h", got "a week"',
        ),
        ("state_dir = 3", "1: state_dir: a folder's path is needed"),
        (
            "[connection]\nreconnect_delay = 100\nreconnect_max_delay = 50",
            (
                "3: connection.reconnect_max_delay: reconnect_max_delay must not be less than "
                "reconnect_delay"
            ),
        ),
        (
            "[plugins.my_sink]\n[plugins.My-Sink]",
            (
                "2: plugins.My-Sink: is the same name as my_sink, which has a section already "
                "(case, - and _ make no difference)"
            ),
        ),
        (
            "[accounts.a_b]\n[accounts.A-b]",
            (
                "2: accounts.A-b: is the same name as a_b, which has a section already "
                "(case, - and _ make no difference)"
            ),
        ),
        ('[accounts."a b"]', "1: accounts.a b: a name has 1 to 32 letters, digits, - and _"),
        ("[log]\nlevel = 1\n\n[log]", "4: not valid TOML: Cannot declare ('log',) twice"),
        (
            '[accounts.main]\napi_secret = ["x"]',
            '2: accounts.main.api_secret: expected { env = "NAME" } or { file = "PATH" }',
        ),
        (
            '[accounts.main]\nproxy = "ftp://me:hunter2@x"',
            (
                "2: accounts.main.proxy: ftp:// is no kind of proxy that qehost knows: http://, "
                "socks5:// and socks5h://"
            ),
        ),
    ],
)
def test_each_mistake_says_what_is_expected(tmp_path: Path, text: str, told: str) -> None:
    assert mistakes(written(tmp_path, text)) == [f"qehost.toml:{told}"]


def test_the_environments_credentials_come_before_those_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, '[accounts.main]\napi_key = { env = "A" }\napi_secret = "secret"\n')
    loaded = config.load(file, environ={"A": "from-file", "QEHOST_API_KEY": "from-environment"})
    assert loaded.settings.accounts["main"].api_key == Secret("from-environment")
    assert loaded.places["accounts.main.api_key"] == "$QEHOST_API_KEY"


def test_credentials_that_belong_to_none_of_several_accounts_are_warned_about(
    tmp_path: Path,
) -> None:
    file = written(tmp_path, "[accounts.one]\n[accounts.two]\n")
    environ = {"QEHOST_API_KEY": "abcdefgh", "QEHOST_API_SECRET": ""}
    (warning,) = config.load(file, environ=environ).warnings
    assert warning.startswith("$QEHOST_API_KEY is not used: there are 2 accounts (one, two)")


def test_a_relative_path_counts_from_the_file_it_stands_in(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        'state_dir = "state"\n[accounts.main]\nca_file = "ca.pem"\nclient_cert = "/etc/c.pem"\n',
    )
    settings = config.load(file, environ={}).settings
    assert settings.state_dir == str(tmp_path / "state")
    assert settings.accounts["main"].ca_file == str(tmp_path / "ca.pem")
    assert settings.accounts["main"].client_cert == "/etc/c.pem"
    environ = {"QEHOST_ACCOUNTS__MAIN__CA_FILE": "ca.pem"}
    assert config.load(file, environ=environ).settings.accounts["main"].ca_file == "ca.pem"


def test_a_proxy_with_a_password_shows_nowhere_and_is_warned_about(tmp_path: Path) -> None:
    file = written(tmp_path, '[accounts.main]\nproxy = "http://me:hunter2@host:1"\n')
    loaded = config.load(file, environ={})
    assert loaded.settings.accounts["main"].proxy.reveal() == "http://me:hunter2@host:1"
    assert "hunter2" not in repr(loaded)
    assert loaded.warnings[0].startswith(f"{file}:2: accounts.main.proxy: stands in the file")
    harmless = written(tmp_path, '[accounts.main]\nproxy = "http://host:1"\n')
    assert config.load(harmless, environ={}).warnings == []


def test_what_can_be_used_is_known_beside_every_mistake(tmp_path: Path) -> None:
    file = written(tmp_path, "[connection]\nping_interval = 3\npong_timeout = -1\n")
    loaded, wrong = config.try_load(file, environ={"QEHOST_NONSENSE": "1"})
    assert loaded.settings.connection.ping_interval == 3.0
    assert loaded.settings.connection.pong_timeout == 10.0
    assert len(wrong) == 2


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("[accounts.'a b']", {}),
        ("accounts.'a b'.protocol = 'v1'", {}),
        ("accounts = { 'a b' = { protocol = 'v1' } }", {}),
        ("[accounts]\n'a b'.protocol = 'v1'", {}),
        ("", {"QEHOST_ACCOUNTS__A B__PROTOCOL": "v1"}),
    ],
)
def test_an_accounts_name_is_checked_however_it_is_written(
    tmp_path: Path, text: str, environ: dict[str, str]
) -> None:
    (mistake,) = mistakes(written(tmp_path, text), environ)
    assert mistake.endswith("accounts.a b: a name has 1 to 32 letters, digits, - and _")


def test_two_names_that_differ_by_case_are_one_however_they_are_written(tmp_path: Path) -> None:
    file = written(tmp_path, "accounts.one.protocol = 'v1'\naccounts.One.protocol = 'v1'\n")
    (mistake,) = mistakes(file)
    assert mistake.startswith("qehost.toml:2: accounts.One: is the same name as one")


@pytest.mark.parametrize("path", ["~no-such-user/x", "a\0b"])
@pytest.mark.parametrize(
    "setting",
    ["state_dir = {}", "accounts.main.ca_file = {}", "accounts.main.listen_key = {{ file = {} }}"],
)
def test_a_path_that_no_system_knows_is_a_mistake_with_its_line(
    tmp_path: Path, setting: str, path: str
) -> None:
    text = json.dumps(path)
    (mistake,) = mistakes(written(tmp_path, f"\n{setting.format(text)}\n"))
    assert re.match(
        r"qehost.toml:2: [\w.]+: (nobody's home folder is ~no-such-user|a path has)", mistake
    )


@pytest.mark.parametrize("setting", ["ws_url", "rest_url", "proxy"])
@pytest.mark.parametrize(
    "address",
    [
        "host:port",
        "host:65536",
        "host:-1",
        "[::1",
        "[nonsense]",
        "ho st",
        "host\t.example",
        ":8080",
        "/path",
        "a..example",
        f"{'a' * 64}.example",
    ],
)
def test_an_address_that_leads_nowhere_is_a_mistake_with_its_line(
    tmp_path: Path, setting: str, address: str
) -> None:
    scheme = "wss" if setting == "ws_url" else "http"
    file = written(
        tmp_path, f"[accounts.main]\n{setting} = {json.dumps(f'{scheme}://{address}')}\n"
    )
    (mistake,) = mistakes(file)
    assert mistake.startswith(f"qehost.toml:2: accounts.main.{setting}: ")


@pytest.mark.parametrize(
    "address", ["host", "host:1", "[::1]:8080", "127.0.0.1:8080/path", "münchen.example/"]
)
def test_an_address_may_be_a_name_or_a_number(tmp_path: Path, address: str) -> None:
    file = written(
        tmp_path, f'[accounts.main]\nws_url = "ws://{address}"\nrest_url = "https://{address}"\n'
    )
    config.load(file, environ={})
