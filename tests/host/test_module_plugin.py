"""What of a module is the plugin."""

from __future__ import annotations

import logging
from types import ModuleType

import pytest

from qehost.host.module_plugin import classes_with_hooks, plugin_in


def module(source: str) -> ModuleType:
    plugin = ModuleType("demo_module")
    exec(source, plugin.__dict__)
    return plugin


CLASS = "class Plugin:\n def on_fill(self): ...\n"


def test_the_class_called_plugin_is_it_where_the_module_has_no_hooks() -> None:
    found = module(CLASS + "def helper(): ...")
    assert plugin_in(found, "demo") is found.Plugin


@pytest.mark.parametrize(
    "source",
    ["def on_fill(): ...", "Plugin = 3", "class Plugin: ...", "class Sink:\n def on_fill(): ..."],
)
def test_otherwise_it_is_the_module(source: str) -> None:
    found = module(source)
    assert plugin_in(found, "demo") is found


@pytest.mark.parametrize("hook", ["def on_fil(self)", "@staticmethod\n def on_fill()"])
def test_a_mistyped_hook_counts_so_that_it_is_told(hook: str) -> None:
    found = module(f"class Plugin:\n {hook}: ...")
    assert plugin_in(found, "demo") is found.Plugin


def test_a_marked_function_of_another_name_is_a_hook() -> None:
    found = module(
        "from qehost.hookspecs import hookimpl\n"
        + CLASS
        + "@hookimpl(specname='on_fill')\ndef told(): ..."
    )
    assert plugin_in(found, "demo") is found


def test_a_module_with_hooks_beside_the_class_is_told_how_to_name_the_class(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = module(CLASS + "def on_order(): ...")
    with caplog.at_level(logging.WARNING):
        assert plugin_in(found, "demo") is found
    assert "named as demo_module:Plugin" in caplog.text


def test_the_classes_of_a_module_that_have_hooks_are_named_as_for_p() -> None:
    found = module("class Sink:\n def on_fill(): ...\nclass Other: ...\nfrom enum import Enum")
    found.Sink.__module__ = found.Other.__module__ = "demo_module"
    assert classes_with_hooks(found) == ["demo_module:Sink"]
    assert classes_with_hooks(object()) == []
