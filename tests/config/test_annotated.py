"""The annotated file and the table of the documentation say what the settings are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from qehost import config
from qehost.config.annotated import PluginSection, annotated, markdown
from qehost.config.catalogue import SECTIONS, settings_of
from qehost.config.settings import AccountSettings, PluginSettings, Settings
from qehost.host.plugin_config import configure
from qehost.secret import Secret

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
CREDENTIALS = {"QEHOST_API_KEY": "key-of-mine", "QEHOST_API_SECRET": "secret-of-mine"}


class Inner(msgspec.Struct, frozen=True):
    buy: Annotated[str, Meta(description="Colour of buys.")] = "green"
    sell: str | None = None


class Config(msgspec.Struct, frozen=True):
    style: Annotated[Literal["plain", "fancy"], Meta(description="How it looks.")] = "plain"
    ratio: Annotated[float, Meta(gt=0)] = 0.5
    limit: int | None = None
    chats: list[str] = msgspec.field(default_factory=lambda: ["a", "b"])
    inner: Inner = Inner()
    token: Secret | None = None
    odd: str = msgspec.field(default='tab\t quote" backslash\\ del\x7f Ω', name="an odd name")


def uncommented(text: str) -> str:
    return "".join(
        line.removeprefix("# ") for line in text.splitlines(keepends=True) if line[:2] != "##"
    )


def loaded(folder: Path, text: str, environ: dict[str, str]) -> Settings:
    file = folder / "qehost.toml"
    file.write_text(text, encoding="utf-8")
    return config.load(file, environ=environ).settings


def without_places(settings: Settings) -> Settings:
    plugins = {
        name: replace(plugin, places={}, folder="", section="")
        for name, plugin in settings.plugins.items()
    }
    return replace(settings, plugins=plugins)


def test_the_annotated_file_as_it_is_says_nothing_but_the_defaults(tmp_path: Path) -> None:
    text = annotated([PluginSection("demo", "demo 1.0", Config)])
    plain = config.load(environ={}).settings
    assert without_places(loaded(tmp_path, text, {})) == replace(
        plain, plugins={"demo": PluginSettings()}
    )


def test_the_annotated_file_with_every_setting_uncommented_means_the_same(tmp_path: Path) -> None:
    text = uncommented(annotated([PluginSection("demo", "demo 1.0", Config)]))
    settings = loaded(tmp_path, text, CREDENTIALS)
    plugin = settings.plugins["demo"]
    assert without_places(replace(settings, plugins={})) == config.load(environ=CREDENTIALS)[0]
    assert (plugin.enabled, plugin.process, plugin.order) == (True, "main", 0)
    # TOML has no null: what is unset by default stands there with a value.
    expected = replace(Config(), limit=0, token=Secret(""))
    assert configure(Config, plugin.own, "plugins.demo") == expected


def test_the_annotated_file_holds_every_setting_and_its_meaning() -> None:
    text = " ".join(annotated([]).replace("\n## ", " ").split())
    for name, struct in {"accounts.main": AccountSettings, **SECTIONS}.items():
        assert f"[{name}]" in text
        for setting in settings_of(struct):
            assert f"# {setting.name} = " in text
            assert setting.description in text


def test_a_plugins_fields_stand_there_with_their_meaning_and_the_needed_ones_are_told() -> None:
    class Demanding(msgspec.Struct):
        url: Annotated[str, Meta(description="Where to.")]
        token: Secret

    text = annotated(
        [PluginSection("a.b", "demo 1.0", Demanding), PluginSection("c", "", None, "it is broken")]
    )
    assert '[plugins."a.b"]' in text
    assert '## Where to. Needed: there is no default.\n# url = ""\n' in text
    assert '# token = { env = "NAME" }\n' in text
    assert "Its own settings are not known: it is broken" in text


def test_the_documentation_holds_the_table_of_the_settings() -> None:
    assert markdown() in DOCUMENT.read_text(encoding="utf-8")
