"""The files of a new plugin's package, as texts.  No I/O but for the templates beside this module.

The hooks' signatures and descriptions are read from `hookspecs`, so they are never out of date.
What a generated hook does, and what its test says of that, stands here.
"""

from __future__ import annotations

import collections.abc
import inspect
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from string import Template
from typing import NamedTuple

from packaging.version import Version

import qehost
from qehost import errors, hookspecs, messages

__all__ = ["DEFAULT_HOOKS", "EXAMPLES", "Example", "files", "signature", "supported"]

DEFAULT_HOOKS = ("on_master_order", "on_fill", "on_error")
WIDTH = 100


class Example(NamedTuple):
    """What a generated hook says, how its test makes it do so, and what the test looks for."""

    says: str
    """A format string of the hook's arguments."""
    delivers: str
    """An expression of the test's, on `host`; `""` where starting or stopping is enough."""
    expects: str


EXAMPLES = {
    "on_start": Example("watching {', '.join(context.accounts)}", "", "watching main"),
    "on_stop": Example("stopped: {reason}", 'host.stop("enough")', "stopped: enough"),
    "on_connected": Example(
        "{event.account}: connected to {event.message.url}",
        'host.deliver(connected("wss://venue"))',
        "main: connected to wss://venue",
    ),
    "on_disconnected": Example(
        "{event.account}: disconnected: {reason}",
        'host.deliver(disconnected("timed out"))',
        "main: disconnected: timed out",
    ),
    "on_master_order": Example(
        "{message.side} {detail.total_quantity} {message.symbol}: {message.status}",
        'host.deliver(master_order(side="sell", qty="2.50", symbol="ETHUSDT", status="NEW"))',
        "sell 2.50 ETHUSDT: NEW",
    ),
    "on_order": Example(
        "order {message.order_id}: {message.status}, {detail.filled_quantity} filled",
        'host.deliver(order(order_id="o-7", status="FILLED", quantity="0.50"))',
        "order o-7: FILLED, 0.50 filled",
    ),
    "on_fill": Example(
        "{message.side} {detail.quantity} {message.symbol} at {detail.price}",
        'host.deliver(fill(side="sell", quantity="0.10", price="97000.50"))',
        "sell 0.10 BTCUSDT at 97000.50",
    ),
    "on_status": Example(
        "the venue says {status}", 'host.deliver(status("all well"))', "the venue says all well"
    ),
    "on_error": Example(
        "{type(error).__name__}: {error}",
        'host.deliver(error("no margin"))',
        "VenueError: no margin",
    ),
    "on_raw_message": Example(
        "a message of type {message.type}",
        'host.deliver(unknown("news"))',
        "a message of type news",
    ),
    "on_batch": Example(
        "{len(events)} events at once",
        "host.deliver(*worked_master_order())",
        "events at once",
    ),
    "on_tick": Example("it is {now:.0f}", "host.tick(1_767_323_045.0)", "it is 1767323045"),
}


def files(name: str, hooks: Sequence[str], version: str) -> dict[str, str]:
    """The package of the plugin `name` with these hooks: path → text.

    `version` is that of qehost: the package asks for those that are sure to work.
    """
    hooks = [hook for hook in EXAMPLES if hook in hooks]
    distribution, module = f"qehost-{name}", f"qehost_{name.replace('-', '_')}"
    facts = {
        "name": name,
        "distribution": distribution,
        "module": module,
        "range": supported(version),
    }
    standard, ours = _imports(hooks)
    return {
        "pyproject.toml": _filled("pyproject.toml", facts),
        "README.md": _filled("README.md", facts),
        ".gitignore": _filled("gitignore", facts),
        f"src/{module}/__init__.py": _tidy(
            _filled(
                "plugin.py",
                facts,
                standard_imports=standard,
                imports=ours,
                hooks="".join(map(_method, hooks)),
            )
        ),
        f"src/{module}/py.typed": "",
        f"tests/test_{module.removeprefix('qehost_')}.py": _tidy(
            _filled(
                "test_plugin.py",
                facts,
                testing=_import("qehost.testing", _testing_names(hooks)),
                tests="".join(map(_test, hooks)),
            )
        ),
    }


def supported(version: str) -> str:
    """The versions of qehost that a plugin made with this one works with.

    >>> supported("0.1.3")
    '>=0.1,<0.2'
    """
    this = Version(version)
    upper = f"0.{this.minor + 1}" if this.major == 0 else str(this.major + 1)
    # Of a version that is not out yet, that very one.
    lower = this.public if this.is_prerelease else f"{this.major}.{this.minor}"
    return f">={lower},<{upper}"


def signature(hook: str, indent: int = 0, first: str = "") -> str:
    """The hook's `def` line, broken where it is too long; `first` is `self, ` for a method."""
    spec = inspect.signature(getattr(hookspecs, hook))
    # The annotations are text: hookspecs has them postponed.
    arguments = ", ".join(f"{p.name}: {p.annotation}" for p in spec.parameters.values())
    space = " " * indent
    line = f"{space}def {hook}({first}{arguments}) -> {spec.return_annotation}:"
    if len(line) <= WIDTH:
        return line
    return (
        f"{space}def {hook}(\n{space}    {first}{arguments}\n{space}) -> {spec.return_annotation}:"
    )


def _method(hook: str) -> str:
    text = inspect.getdoc(getattr(hookspecs, hook)) or ""
    summary = " ".join(text.partition("\n\n")[0].split()).replace("  ", " ")
    return (
        f"\n{signature(hook, 4, 'self, ')}\n"
        f'        """{_wrapped(summary)}"""\n'
        f'        self.say(f"{EXAMPLES[hook].says}")\n'
    )


def _wrapped(text: str) -> str:
    """As a docstring in a method: on one line, or the first sentence alone."""
    if len(text) + 14 <= WIDTH:
        return text
    return re.split(r"(?<=[.:])\s", text)[0].removesuffix(":").removesuffix(".") + "."


def _test(hook: str) -> str:
    example = EXAMPLES[hook]
    host = 'plugin_host(Plugin, {"prefix": "desk 1: "})'
    lines = [f"    host = {host}", f"    {example.delivers}"]
    if not example.delivers:
        lines = [f"    {host}"]
    expected = example.expects if hook == "on_batch" else f"desk 1: {example.expects}"
    arguments = "plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture"
    line = f"def test_{hook}_is_told({arguments}) -> None:"
    if len(line) > WIDTH:
        line = f"def test_{hook}_is_told(\n    {arguments}\n) -> None:"
    return "\n".join(["", "", line, *lines, f'    assert "{expected}" in caplog.text', ""])


def _testing_names(hooks: Iterable[str]) -> set[str]:
    made = {
        name
        for hook in hooks
        for name in re.findall(r"\b(\w+)\(", EXAMPLES[hook].delivers)
        if name not in ("deliver", "stop", "tick")
    }
    return {*made, "PluginHost", "StartPlugin", "worked_master_order"}


def _imports(hooks: Iterable[str]) -> tuple[str, str]:
    """The import lines for the annotations of these hooks: of the standard library, and ours."""
    by_home: dict[str, set[str]] = {}
    for hook in hooks:
        for parameter in inspect.signature(getattr(hookspecs, hook)).parameters.values():
            for name in re.findall(r"\b[A-Z]\w+", parameter.annotation):
                if name != "None":
                    by_home.setdefault(_home(name), set()).add(name)
    standard = by_home.pop(collections.abc.__name__, set())
    lines = [_import(home, names) for home, names in sorted(by_home.items())]
    return _import("collections.abc", standard) if standard else "", "\n".join(lines)


def _home(name: str) -> str:
    """The module from which a plugin imports this name."""
    for module in (messages, errors, qehost, collections.abc):
        if name in module.__all__:
            return module.__name__
    raise LookupError(f"hookspecs uses {name}, which no public module has")


def _import(module: str, names: Iterable[str]) -> str:
    line = f"from {module} import {', '.join(sorted(names))}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {n}," for n in sorted(names)), ")"])


def _filled(template: str, facts: dict[str, str], **more: str) -> str:
    file = resources.files("qehost.cli").joinpath("templates", f"{template}.txt")
    return Template(file.read_text(encoding="utf-8")).substitute(facts, **more)


def _tidy(source: str) -> str:
    """Without the empty lines that an empty part of the template leaves behind."""
    source = re.sub(r"(import logging)\n\n(from typing)", r"\1\n\2", source)
    source = re.sub(r"\n{4,}", "\n\n\n", source)
    return source.rstrip("\n") + "\n"
