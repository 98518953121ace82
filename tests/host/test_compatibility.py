"""Plugins that need another qehost are refused before they are imported."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qehost import hookspecs
from qehost.host.compatibility import own_requirements, unmet
from qehost.host.discovery import find
from qehost.host.loading import load

Write = Callable[..., Path]


def test_only_the_requirements_about_qehost_count() -> None:
    requires = ["qehost>=0.1", "qehost-console", "qehosts<1", "QEHost[keys] <2 ; extra == 'keys'"]
    assert list(own_requirements(requires)) == [requires[0], requires[3]]


@pytest.mark.parametrize(
    ("requirement", "installed"),
    [
        ("qehost", "0.1.0"),
        ("qehost>=0.1,<0.2", "0.1.0"),
        ("qehost>=0.1,<0.2", "0.1.9.dev3"),
        ("qehost~=0.1", "0.9"),
        ("qehost (>=0.1)", "0.2.0rc1"),
        ("qehost>=9; python_version<'3'", "0.1.0"),
        ("qehost>=9; extra=='later'", "0.1.0"),
        ("qehost is not a requirement", "0.1.0"),
    ],
)
def test_a_requirement_that_holds_keeps_nothing_out(requirement: str, installed: str) -> None:
    assert unmet([requirement], installed) == ""


@pytest.mark.parametrize(
    ("requirement", "needed", "installed"),
    [
        ("qehost>=0.2", ">=0.2", "0.1.0"),
        ("qehost<0.2,>=0.1", "<0.2,>=0.1", "0.2.0"),
        ("qehost>=0.2", ">=0.2", "0.2.0.dev1"),
        ("qehost==0.1.*", "==0.1.*", "0.2"),
        ("qehost[keys]>=0.3; python_version>='3'", ">=0.3", "0.1.0"),
    ],
)
def test_a_requirement_that_does_not_hold_names_both_versions(
    requirement: str, needed: str, installed: str
) -> None:
    why = unmet(["qehost", requirement], installed)
    assert why.startswith(f"it needs qehost{needed}, and qehost {installed} is installed: ")


def require(distribution: Path, *requirements: str) -> None:
    with (distribution / "METADATA").open("a") as file:
        file.writelines(f"Requires-Dist: {each}\n" for each in requirements)


def test_a_plugin_for_another_version_is_not_even_imported(install: Write, write: Write) -> None:
    write("demo_module", "raise AssertionError('imported')")
    require(install("demo-plugin", "demo = demo_module"), "msgspec", "qehost>=77,<78")
    (report,) = load(find()).reports
    installed = importlib.metadata.version("qehost")
    assert (report.state, report.hooks) == ("failed", ())
    assert report.why == (
        f"it needs qehost<78,>=77, and qehost {installed} is installed: "
        "install a version of the plugin that fits, or that qehost"
    )


def test_a_plugin_for_this_version_is_loaded(install: Write, write: Write) -> None:
    write("demo_module", "def on_fill(): ...")
    require(install("demo-plugin", "demo = demo_module"), "qehost>=0.1.0.dev0")
    (report,) = load(find()).reports
    assert report.state == "loaded"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("warn_on_impl", DeprecationWarning("on_fill goes in 0.3: use on_trade")),
        ("warn_on_impl_args", {"detail": DeprecationWarning("detail of on_fill goes in 0.3")}),
    ],
)
def test_what_will_go_is_told_and_works_until_then(
    option: str,
    value: Any,
    install: Write,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = str(value if option == "warn_on_impl" else value["detail"])
    monkeypatch.setitem(hookspecs.on_fill.qehost_spec, option, value)  # type: ignore[attr-defined]
    write("demo_module", "def on_fill(detail): ...")
    install("demo-plugin", "demo = demo_module")
    (report,) = load(find()).reports
    assert (report.state, report.hooks, report.warnings) == ("loaded", ("on_fill",), (text,))
    assert f"plugin demo: {text}" in caplog.text
