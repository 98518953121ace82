"""docs/reference/ is what `docs/make_reference.py` makes of the code, and nothing is left out."""

from __future__ import annotations

import inspect
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from qehost import errors
from qehost.cli import COMMANDS
from qehost.config.catalogue import SECTIONS, settings_of
from qehost.host.arguments import HOOKS
from qehost.rest.api import API

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(name: str) -> str:
    return (DOCS / "reference" / name).read_text(encoding="utf-8")


def test_the_pages_are_what_the_program_makes(program: ModuleType) -> None:
    assert {file.name for file in (DOCS / "reference").iterdir()} == set(program.PAGES)
    for name, page in program.PAGES.items():
        made = program.page_text(page)
        assert text(name) == made, f"{name}: the code has changed: python docs/make_reference.py"


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("commands.md", [f"## `qehost {name}`" for name in COMMANDS]),
        (
            "settings.md",
            [f"| `{s.name}` |" for struct in SECTIONS.values() for s in settings_of(struct)],
        ),
        ("hooks.md", [f"## `{name}`" for name in HOOKS]),
        (
            "errors.md",
            [f"## `{n}`" for n in errors.__all__ if inspect.isclass(getattr(errors, n))],
        ),
        ("rest.md", [f"### `{n}`" for n in dir(API) if n[0] != "_" and callable(getattr(API, n))]),
    ],
)
def test_nothing_is_left_out(page: str, names: list[str]) -> None:
    assert len(names) > 5
    assert [name for name in names if f"\n{name}" not in text(page)] == []
