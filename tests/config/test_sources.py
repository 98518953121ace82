"""Where settings come from: a file, its lines, the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from qehost import config
from qehost.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    file = folder / "qehost.toml"
    file.write_text(text, encoding="utf-8")
    return file


def mistakes(file: Path | None = None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.load(file, environ=environ or {})
    # The file's folder is only known here.
    return [m.replace(f"{file.parent}/", "") if file else m for m in caught.value.mistakes]


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = written(tmp_path, "\ufeff[connection]\r\nping_interval = 3\r\n")
    loaded = config.load(file, environ={})
    assert loaded.settings.connection.ping_interval == 3
    assert loaded.places["connection.ping_interval"] == f"{file}:2"


def test_a_line_inside_a_text_is_not_taken_for_a_setting(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[plugins.x]\nnote = """\n[connection]\nping_interval = 3\n"""\n'
        "[connection]\nping_interval = -3\n",
    )
    assert mistakes(file)[0].startswith("qehost.toml:7: connection.ping_interval: ")


def test_the_environments_names_of_accounts_and_plugins_are_those_of_the_file(
    tmp_path: Path,
) -> None:
    file = written(tmp_path, "[accounts.Desk-1]\n[plugins.My-Sink]\n")
    environ = {
        "QEHOST_ACCOUNTS__DESK_1__PROTOCOL": "v1",
        "QEHOST_PLUGINS__MY_SINK__ORDER": "7",
    }
    settings = config.load(file, environ=environ).settings
    assert settings.accounts["Desk-1"].protocol == "v1"
    assert list(settings.plugins) == ["My-Sink"]
    assert settings.plugins["My-Sink"].order == 7


def test_the_variables_that_are_no_settings_are_left_alone() -> None:
    config.load(environ={"QEHOST_CONFIG": "x.toml", "QEHOST_TEST_URL": "x", "QEHOSTESS": "x"})


def test_the_variables_that_a_cluster_sets_for_a_service_of_this_name_are_no_settings() -> None:
    variables = ("PORT", "PORT_8080_TCP", "PORT_8080_TCP_ADDR", "PORT_8080_TCP_PROTO")
    environ = {f"QEHOST_{name}": "tcp://10.0.0.1:8080" for name in variables}
    service = {"QEHOST_SERVICE_HOST": "10.0.0.1", "QEHOST_SERVICE_PORT_METRICS": "8080"}
    config.load(environ={**environ, **service, "QEHOST_SERVICE_PORT": "8080"})
    with pytest.raises(ConfigError, match="QEHOST_PORTS"):
        config.load(environ={"QEHOST_PORTS": "1"})


@pytest.mark.parametrize("text", ["[", "x = ", "\x00"])
def test_a_broken_file_is_one_clear_mistake(tmp_path: Path, text: str) -> None:
    (mistake,) = mistakes(written(tmp_path, text))
    assert mistake.startswith("qehost.toml:1: not valid TOML: ") or "at end of" in mistake


def test_a_file_that_is_not_there_is_one_clear_mistake(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path / "nowhere.toml")
    assert "nowhere.toml: can't be read" in mistake
