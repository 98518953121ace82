"""The settings' own promises: described, told apart, printed so that they load again."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, inspect
from msgspec.structs import replace

from qehost import config
from qehost.config.annotated import PluginSection, annotated, markdown
from qehost.config.catalogue import SECTIONS, kind_of, listed
from qehost.config.toml_text import toml_key, toml_value
from qehost.host.configure import configure
from qehost.secret import Secret, masked, resolve
from qehost.settings import AccountSettings, PluginSettings, Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"
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


def test_every_setting_is_described() -> None:
    for struct in (AccountSettings, *SECTIONS.values()):
        assert struct.__doc__
        for setting in listed(struct):
            assert setting.description, f"{struct.__name__}.{setting.name}"
    for name in ("enabled", "process", "order"):
        assert next(s for s in listed(PluginSettings) if s.name == name).description


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
        for setting in listed(struct):
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
    # To renew it: python -c 'from qehost.config.annotated import markdown; print(markdown())'
    assert markdown() in DOCUMENT.read_text(encoding="utf-8")


TOML = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(blacklist_categories=["Cs"]))
    | st.dates()
    | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


@given(st.text(st.characters(codec="utf-8")), TOML)
def test_what_is_written_as_toml_is_read_as_it_was(key: str, value: Any) -> None:
    assert tomllib.loads(f"{toml_key(key)} = {toml_value(value)}") == {key: value}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Annotated[float, Meta(gt=0, le=86_400)], "a number > 0 and ≤ 86,400"),
        (Annotated[int, Meta(ge=1)], "a whole number ≥ 1"),
        (bool, "true or false"),
        (Literal["b", "a"], '"a" or "b"'),
        (list[str], "a list, each a text"),
        (dict[str, int], "a table"),
        (Secret | None, 'a secret: { env = "NAME" } or { file = "PATH" }'),
        (Annotated[str, Meta(pattern="^x$")], "a text that matches ^x$"),
        (Annotated[str, Meta(pattern="^x$", title="an x")], "an x"),
    ],
)
def test_types_in_words(kind: Any, words: str) -> None:
    assert kind_of(inspect.type_info(kind)) == words


# --- secrets ---------------------------------------------------------------------------------


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
