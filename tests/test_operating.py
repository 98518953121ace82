"""What docs/operating.md says is so."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from qehost import config
from qehost.cli import main
from qehost.cli.failure import CONFIG_INVALID, COULD_NOT_START, USAGE
from qehost.supervisor.supervisor import GAVE_UP

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def options(command: str) -> set[str]:
    found = main.get_command(click.Context(main), command)
    assert found is not None
    return {option for each in found.params for option in each.opts}


def unit(setting: str) -> list[str]:
    (text,) = blocks("ini")
    return re.findall(rf"^{setting}=(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("setting", ["ExecStart", "ExecReload"])
def test_the_unit_calls_commands_with_options_that_there_are(setting: str) -> None:
    (line,) = unit(setting)
    _, command, *arguments = shlex.split(line)
    for option in (argument for argument in arguments if argument.startswith("-")):
        assert option in options(command)


def test_the_unit_does_not_try_again_what_does_not_get_better() -> None:
    assert unit("RestartPreventExitStatus") == [f"{USAGE} {CONFIG_INVALID}"]
    assert unit("KillMode") == ["mixed"]


def test_the_exit_codes_are_those_of_the_program() -> None:
    codes = re.findall(r"^\| (\d) \|", TEXT.partition("## Exit codes")[2], re.MULTILINE)
    assert list(map(int, codes)) == [0, USAGE, COULD_NOT_START, CONFIG_INVALID, GAVE_UP]


def test_the_commands_that_it_names_are_there() -> None:
    named = {name for line in re.findall(r"`qehost ([a-z-]+)", TEXT) for name in [line]}
    for name in named - {"config"}:
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0
    for name in re.findall(r"qehost config ([a-z]+)", TEXT):
        assert CliRunner().invoke(main, ["config", name, "--help"]).exit_code == 0


def test_its_settings_are_valid_toml_and_its_links_lead_somewhere() -> None:
    for text in blocks("toml"):
        tomllib.loads(text)
    headings = {
        file.name: {
            re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        }
        for file in (ROOT / "docs").glob("*.md")
    }
    for file, anchor in re.findall(r"\]\(([\w.]*)(?:#([\w-]+))?\)", TEXT):
        assert (file or "operating.md") in headings
        assert not anchor or anchor in headings[file or "operating.md"]


def test_the_service_is_operated_from_a_shell_as_it_says_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings,) = [text for text in blocks("toml") if "/run/credentials" in text]
    state = tmp_path / "state"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "qehost.toml").write_text(settings.replace("/var/lib/qehost", str(state)))
    monkeypatch.setattr("qehost.config.folders.SYSTEM_FOLDER", tmp_path / "etc")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for command, code, text in (
        (["status"], 1, f"nothing has run in {state} yet"),
        (["status", "--check"], 2, f"CRITICAL: nothing has run in {state} yet"),
        (["journal", "list"], 3, str(state)),
        (["journal", "dead-letters"], 0, f"No dead letters in {state}."),
        (["reload"], 3, f"no qehost runs with the state folder {state}"),
        (["plugins"], 0, ""),
    ):
        result = CliRunner().invoke(main, command)
        assert (result.exit_code, text in result.output) == (code, True), result.output
    # A run needs them, and says so.
    assert "/run/credentials/qehost.service" in CliRunner().invoke(main, ["config", "check"]).output


@pytest.mark.parametrize(
    ("name", "language", "text"),
    [
        ("qehost.service", "ini", "[Unit]"),
        ("qehost.toml", "toml", "/run/credentials"),
        ("Dockerfile", "dockerfile", "FROM"),
    ],
)
def test_the_files_to_copy_are_those_of_the_page(name: str, language: str, text: str) -> None:
    (block,) = [block for block in blocks(language) if text in block]
    assert (ROOT / "deploy" / name).read_text(encoding="utf-8") == block


def test_the_settings_of_the_compose_file_are_right(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "compose.yml").read_text(encoding="utf-8")
    environ = dict(re.findall(r"^      (QEHOST_\w+): '?(.*?)'?$", text, re.MULTILINE))
    assert len(environ) > 5
    for name, value in environ.items():
        if secret := re.search(r"/run/secrets/(\w+)", value):
            assert f"\n  {secret[1]}: {{ file: " in text
            (tmp_path / secret[1]).write_text("a secret")
            environ[name] = value.replace("/run/secrets", str(tmp_path))
    settings = config.load(environ=environ).settings
    assert settings.accounts["main"].api_key
    assert {settings.plugins[name].process for name in ("store", "metrics")} == {"store", "metrics"}


def test_the_container_asks_for_its_health_by_a_command_that_there_is() -> None:
    (line,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", TEXT, re.MULTILINE)
    program, *command = json.loads(line)
    assert program == "qehost"
    assert CliRunner().invoke(main, [*command, "--help"]).exit_code == 0
