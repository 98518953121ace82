"""Imports run one way: from the commands to the processes to the core to the messages.

`python tests/test_imports.py` prints the floors.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import qehost

PACKAGE = Path(qehost.__file__).parent

# From the top down, every entry of the package.  A module may import what stands in a later line,
# or in its own room: two rooms of one line know nothing of each other.
LAYERS = (
    ("cli",),
    ("service", "testing"),
    ("supervisor", "host", "connection", "simulator"),
    ("processes", "hookspecs"),
    ("rest", "storage", "config", "blotter"),
    ("events", "network"),
    ("messages", "errors", "secret"),
)
ENTRIES = 18
FLOORS = 7


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )


def room_of(module: str) -> str:
    return module.split(".")[1]


def imports_of(file: Path) -> set[str]:
    """The modules of ours that it imports: at once, inside a function, or for its types alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.module, f"{file}: a relative import"
            assert not node.level, f"{file}: a relative import"
            for alias in node.names:
                inner = PACKAGE.parent / node.module.replace(".", "/") / alias.name
                is_module = inner.is_dir() or inner.with_suffix(".py").exists()
                found.add(f"{node.module}.{alias.name}" if is_module else node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name for name in found if name.partition(".")[0] == "qehost"}


@cache
def graph() -> dict[str, set[str]]:
    """What each module imports; the package itself, which names its public names, is left out."""
    return {
        name_of(file): imports_of(file)
        for file in sorted(PACKAGE.rglob("*.py"))
        if "templates" not in file.parts  # the package that new-plugin copies
        if file != PACKAGE / "__init__.py"
    }


@cache
def rooms() -> dict[str, set[str]]:
    """What each room imports of the others."""
    found: dict[str, set[str]] = {}
    for module, names in graph().items():
        others = {room_of(name) for name in names if "." in name}
        found.setdefault(room_of(module), set()).update(others - {room_of(module)})
    return found


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """The first way that leads back to where it began; none: an empty list."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in done:
            for other in sorted(arrows.get(name, ())):
                if found := visit(other, (*path, name)):
                    return found
            done.add(name)
        return []

    return next((found for name in arrows if (found := visit(name, ()))), [])


def floors() -> dict[int, list[str]]:
    """The rooms by their floor, the lowest is 1: one above the highest that a room imports."""
    arrows, found = rooms(), dict[str, int]()
    assert not circle(arrows)

    def floor(room: str) -> int:
        if room not in found:
            found[room] = 1 + max(map(floor, arrows[room]), default=0)
        return found[room]

    by_floor = defaultdict(list)
    for room in sorted(arrows):
        by_floor[floor(room)].append(room)
    return dict(sorted(by_floor.items(), reverse=True))


def entries() -> set[str]:
    """What lies at the top of the package."""
    left_out = ("__init__.py", "__pycache__", "py.typed")
    return {each.stem for each in PACKAGE.iterdir() if each.name not in left_out}


def test_every_room_has_its_place_in_the_order() -> None:
    assert sorted(name for names in LAYERS for name in names) == sorted(entries())


def test_no_module_imports_from_a_layer_above_its_own_or_from_the_room_beside() -> None:
    layer = {room: number for number, names in enumerate(LAYERS) for room in names}
    upward = [
        f"{module} imports {name}"
        for module, names in graph().items()
        for name in names
        if room_of(name) != room_of(module) and layer[room_of(name)] <= layer[room_of(module)]
    ]
    assert upward == []


def test_no_module_goes_through_the_public_names_of_the_package() -> None:
    assert [module for module, names in graph().items() if "qehost" in names] == []


def test_no_imports_run_in_a_circle_between_modules_or_rooms() -> None:
    assert " → ".join(circle(graph())) == ""
    assert " → ".join(circle(rooms())) == ""


def test_the_package_is_small_enough_to_be_seen_at_a_glance() -> None:
    assert len(entries()) <= ENTRIES
    assert max(floors()) <= FLOORS


def test_the_messages_import_nothing_of_ours() -> None:
    assert graph()["qehost.messages"] == set()


def test_the_page_on_the_architecture_shows_these_floors() -> None:
    page = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("\n## Rooms\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([0-9]) \| (.*?) \|", table, re.MULTILINE)
    shown = {int(floor): set(re.findall(r"`(\w+)`", rooms)) for floor, rooms in rows}
    assert shown == {len(LAYERS) - place: set(rooms) for place, rooms in enumerate(LAYERS)}


if __name__ == "__main__":
    for floor, names in floors().items():
        print(floor, *names)
