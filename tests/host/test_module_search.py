"""Whether a module can be imported, and from where; nothing is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qehost.config.plugin_module import PluginModule, parse
from qehost.host.module_search import make_importable, source_of

Write = Callable[..., Path]


def test_a_module_is_looked_for_in_the_folder_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "beside the settings"
    folder.mkdir()
    (folder / "local_sink.py").write_text("raise AssertionError")
    assert not make_importable(parse("local_sink"))
    assert make_importable(parse("local_sink"), str(folder))
    assert sys.path[-1] == str(folder)


def test_a_module_inside_a_package_is_found_without_importing_the_package(write: Write) -> None:
    write("pkg/__init__", "raise AssertionError")
    write("pkg/inner", "")
    assert make_importable(parse("pkg.inner:Sink"))
    assert not make_importable(parse("pkg.outer"))


def test_a_file_is_found_that_is_younger_than_what_python_knows_of_its_folder(
    tmp_path: Path,
) -> None:
    sys.path.append(str(tmp_path))
    assert not make_importable(parse("local_sink"))
    (tmp_path / "local_sink.py").write_text("")
    assert make_importable(parse(f"{tmp_path}/local_sink.py"))


def test_the_source_of_a_module_is_its_file_or_the_folder_of_its_package(
    write: Write, site: Path
) -> None:
    write("pkg/__init__", "raise AssertionError")
    write("pkg/inner", "")
    write("alone", "")
    assert source_of("pkg.inner") == site / "pkg"
    assert source_of("alone") == site / "alone.py"
    assert source_of("sys") is None
    assert source_of("nowhere") is None


def test_a_file_that_is_not_what_its_name_imports_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "json.py"
    file.write_text("")
    with pytest.raises(ValueError, match="a module called json is elsewhere"):
        make_importable(PluginModule("json", "", file))
