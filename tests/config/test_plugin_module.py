"""The texts by which a plugin is named that is not installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from qehost.config.plugin_module import PluginModule, parse, with_absolute_file


@pytest.mark.parametrize(
    ("text", "name", "attribute"),
    [("a", "a", ""), ("a.b", "a.b", ""), ("a:B", "a", "B"), ("a.b:C.D", "a.b", "C.D")],
)
def test_a_module_with_or_without_an_attribute(text: str, name: str, attribute: str) -> None:
    assert parse(text) == PluginModule(name, attribute, None)
    assert parse(text).value == text


@pytest.mark.parametrize("attribute", ["", "B.C"])
def test_a_file_with_or_without_an_attribute(tmp_path: Path, attribute: str) -> None:
    file = tmp_path / "my-alerts.py"
    file.write_text("")
    text = f"{file}:{attribute}" if attribute else str(file)
    assert parse(text) == PluginModule("my-alerts", attribute, file)


def test_a_packages_file_is_the_package(tmp_path: Path) -> None:
    file = tmp_path / "package" / "__init__.py"
    file.parent.mkdir()
    file.write_text("")
    assert parse(str(file)) == PluginModule("package", "", file)
    assert parse(str(file)).folder == tmp_path
    (tmp_path / "alone.py").write_text("")
    assert parse(f"{tmp_path}/alone.py").folder == tmp_path


@pytest.mark.parametrize("text", ["", "a:", "a b", "a:b:c", "-x", "a..b"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="MODULE or FILE"):
        parse(text)


def test_a_relative_file_counts_from_a_folder_and_nothing_else_changes() -> None:
    folder = Path("/folder")
    assert with_absolute_file("a.py:B", folder) == "/folder/a.py:B"
    assert with_absolute_file("/b/a.py", folder) == "/b/a.py"
    assert with_absolute_file("a.b:C", folder) == "a.b:C"
    with pytest.raises(ValueError, match="home"):
        with_absolute_file("~no-such-user/a.py", folder)
