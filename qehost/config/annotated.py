"""The annotated settings' file: every section and setting with its description and default.

A line with `##` is prose, one with `#` a setting with its default: remove the `#` to change it.  As
printed the file sets nothing but defaults.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from qehost.config.catalogue import REQUIRED, SECTIONS, Setting, settings_of
from qehost.config.folders import default_state_dir
from qehost.config.settings import OF_PLUGINS, AccountSettings, PluginSettings, Settings
from qehost.config.toml_text import toml_key, toml_value

__all__ = ["PluginSection", "annotated", "markdown"]

WIDTH = 96

HEAD = """\
qehost's settings, each with its default: remove the # before what you change.

The command line comes before the environment, the environment before this file, this file before
the defaults. In the environment, connection.ping_interval is QEHOST_CONNECTION__PING_INTERVAL.

qehost config check   finds every mistake
qehost config show    prints the values in use, and where they come from
qehost check          tries what a run needs
"""


class PluginSection(NamedTuple):
    """An installed plugin: its name, its origin, and its `Config` or the settings of that."""

    name: str
    source: str
    config: type[msgspec.Struct] | tuple[Setting, ...] | None
    problem: str = ""
    """Why its own settings are not known, if so."""
    module: str = ""
    """The module or file of one that is not installed."""


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
    """The same as tables, for the documentation; without the plugins' own settings."""
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
            for each in _printed_settings(struct)
        ]
        lines.append("")
    return "\n".join(lines)


def _default_cell(setting: Setting) -> str:
    unset = setting.default in (None, "")
    return "" if unset else f"`{toml_value(setting.default)}`"


def _printed_settings(struct: type[msgspec.Struct]) -> Iterator[Setting]:
    return (s for s in settings_of(struct) if struct is not PluginSettings or s.name in OF_PLUGINS)


def _state_dir() -> Setting:
    default = default_state_dir()
    first = next(setting for setting in settings_of(Settings) if setting.name == "state_dir")
    return first._replace(default=default)


def _plugin(plugin: PluginSection) -> Iterator[str]:
    yield ""
    yield ""
    yield from _prose(f"Plugin {plugin.name}" + (plugin.source and f", from {plugin.source}") + ".")
    if plugin.problem:
        yield from _prose(f"Its own settings are not known: {plugin.problem}")
    yield f"[plugins.{toml_key(plugin.name)}]"
    for setting in _printed_settings(PluginSettings):
        if setting.name != "module":
            yield from _described(setting)
        elif plugin.module:
            yield from _described(setting._replace(default=plugin.module))
    own = plugin.config or ()
    for setting in own if isinstance(own, tuple) else settings_of(own):
        yield from _described(setting)


def _section(name: str, struct: type[msgspec.Struct]) -> Iterator[str]:
    yield ""
    yield ""
    for paragraph in _doc(struct):
        yield from _prose(paragraph)
    yield f"[{name}]"
    for setting in settings_of(struct):
        yield from _described(setting)


def _described(setting: Setting) -> Iterator[str]:
    yield ""
    required = "Needed: there is no default." if setting.default is REQUIRED else ""
    secret = setting.kind.startswith("a secret")
    unset = "Not set by default." if setting.default is None and not secret else ""
    takes = f"[{setting.kind}]" if _needs_description(setting) else ""
    yield from _prose(" ".join(filter(None, (setting.description, takes, required, unset))))
    for path, inner in _inner(setting):
        yield from _prose(f"{path}: {inner.description or inner.kind}")
    value = setting.example if setting.default in (None, REQUIRED) else setting.default
    yield f"# {toml_key(setting.name)} = {toml_value(value)}"


def _needs_description(setting: Setting) -> bool:
    """Whether the values it takes can't be inferred from the default."""
    obvious = "a text", "true or false", "a number", "a whole number", "a table", "a value"
    if setting.kind.startswith("a secret"):
        return not setting.description
    described = all(value.strip('"') in setting.description for value in setting.kind.split(" or "))
    return setting.kind not in obvious and not described


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
