"""The annotated settings' file: every section and setting, described, with its default.

`##` is prose, `#` a setting with its default: remove the `#` to change it.  As it is printed, the
file says nothing but the defaults.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import platformdirs

from qehost.config.catalogue import NEEDED, SECTIONS, Setting, listed
from qehost.config.toml_text import toml_key, toml_value
from qehost.settings import AccountSettings, PluginSettings, Settings

__all__ = ["PluginSection", "annotated", "markdown"]

WIDTH = 96

HEAD = """\
qehost's settings. Each stands here with its default: remove the # before what you change.

The command line comes before the environment, the environment before this file, this file before
the defaults. In the environment, connection.ping_interval is QEHOST_CONNECTION__PING_INTERVAL.

qehost config check   finds every mistake
qehost config show    says what holds, and where it comes from
qehost check          tries it all out
"""


class PluginSection(NamedTuple):
    """An installed plugin: its name, where it comes from, and its `Config` or what is `listed` of
    it, if it has one."""

    name: str
    source: str
    config: type[msgspec.Struct] | tuple[Setting, ...] | None
    problem: str = ""
    """Why its own settings are not known."""


def annotated(plugins: Sequence[PluginSection]) -> str:
    """The text of the file."""
    lines = [f"## {line}".rstrip() for line in HEAD.splitlines()]
    lines.append("")
    lines += _described(_state_dir())
    lines += _section("accounts.main", AccountSettings)
    for name, struct in SECTIONS.items():
        lines += _section(name, struct)
    for plugin in plugins:
        lines += _plugin(plugin)
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """The same as tables, for the documentation; the plugins' own settings are theirs to tell."""
    sections: dict[str, type[msgspec.Struct]] = {
        "accounts.NAME": AccountSettings,
        **SECTIONS,
        "plugins.NAME": PluginSettings,
    }
    lines = ["`state_dir` (at the top, before all sections): " + _state_dir().description, ""]
    for name, struct in sections.items():
        lines += [f"**`[{name}]`** {_doc(struct)[0]}", ""]
        lines += ["| setting | default | takes | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{each.name}` | {_default_cell(each)} | {each.kind} | {each.description} |"
            for each in _settings_of(struct)
        ]
        lines.append("")
    return "\n".join(lines)


def _default_cell(setting: Setting) -> str:
    unset = setting.default in (None, "")
    return "" if unset else f"`{toml_value(setting.default)}`"


def _settings_of(struct: type[msgspec.Struct]) -> Iterator[Setting]:
    own = "enabled", "process", "order"
    return (s for s in listed(struct) if struct is not PluginSettings or s.name in own)


def _state_dir() -> Setting:
    default = platformdirs.user_state_dir("qehost", appauthor=False)
    first = next(setting for setting in listed(Settings) if setting.name == "state_dir")
    return first._replace(default=default)


def _plugin(plugin: PluginSection) -> Iterator[str]:
    yield ""
    yield ""
    yield from _prose(f"Plugin {plugin.name}" + (plugin.source and f", from {plugin.source}") + ".")
    if plugin.problem:
        yield from _prose(f"Its own settings are not known: {plugin.problem}")
    yield f"[plugins.{toml_key(plugin.name)}]"
    for setting in _settings_of(PluginSettings):
        yield from _described(setting)
    own = plugin.config or ()
    for setting in own if isinstance(own, tuple) else listed(own):
        yield from _described(setting)


def _section(name: str, struct: type[msgspec.Struct]) -> Iterator[str]:
    yield ""
    yield ""
    for paragraph in _doc(struct):
        yield from _prose(paragraph)
    yield f"[{name}]"
    for setting in listed(struct):
        yield from _described(setting)


def _described(setting: Setting) -> Iterator[str]:
    yield ""
    needed = "Needed: there is no default." if setting.default is NEEDED else ""
    secret = setting.kind.startswith("a secret")
    told = "Not set by default." if setting.default is None and not secret else ""
    takes = f"[{setting.kind}]" if _worth_telling(setting) else ""
    yield from _prose(" ".join(filter(None, (setting.description, takes, needed, told))))
    for path, inner in _inner(setting):
        yield from _prose(f"{path}: {inner.description or inner.kind}")
    value = setting.example if setting.default in (None, NEEDED) else setting.default
    yield f"# {toml_key(setting.name)} = {toml_value(value)}"


def _worth_telling(setting: Setting) -> bool:
    """Whether what it takes can't be seen from the default."""
    obvious = "a text", "true or false", "a number", "a whole number", "a table", "a value"
    if setting.kind.startswith("a secret"):
        return not setting.description
    told = all(value.strip('"') in setting.description for value in setting.kind.split(" or "))
    return setting.kind not in obvious and not told


def _inner(setting: Setting, path: str = "") -> Iterator[tuple[str, Setting]]:
    """The fields of a table in a setting, at any depth."""
    for inner in setting.inner:
        below = f"{path}{inner.name}"
        yield below, inner
        yield from _inner(inner, f"{below}.")


def _prose(text: str) -> Iterator[str]:
    return (f"## {line}" for line in textwrap.wrap(text, WIDTH, break_long_words=False))


def _doc(struct: type[msgspec.Struct]) -> list[str]:
    paragraphs = (struct.__doc__ or "").split("\n\n")
    return [" ".join(paragraph.split()) for paragraph in paragraphs]
