"""What is where, and what it is called: in the package, and in the tests of it."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import qehost

PACKAGE = Path(qehost.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted(
    file.relative_to(PACKAGE)
    for file in PACKAGE.rglob("*.py")
    if file.name != "__init__.py" and "templates" not in file.parts
)

# Modules without a test file of their name, and why.  One that has got one is to be deleted.
WITHOUT_TESTS = {
    # Declarations alone.
    "blotter/entries.py": "what is kept of an order",
    "connection/actions.py": "values that the state machine gives",
    "rest/enums.py": "names",
    "simulator/refusal.py": "two exceptions",
    # What a process does is seen in whole processes.
    "connection/process.py": "faults/test_connection.py",
    "host/replay.py": "cli/test_replay.py",
    "service/connection_process.py": "service/test_programs.py",
    # The file behind DeadLetters, which nothing else opens.
    "storage/dead_letter_tables.py": "storage/test_dead_letters.py",
}


def test_the_tests_of_a_module_are_found_by_its_name() -> None:
    without = {
        module.as_posix()
        for module in MODULES
        if not (TESTS / module.with_name(f"test_{module.name}")).exists()
    }
    assert sorted(without) == sorted(WITHOUT_TESTS)
    named = [place for place in WITHOUT_TESTS.values() if place.endswith(".py")]
    assert [place for place in named if not (TESTS / place).exists()] == []


def test_no_two_classes_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for module in MODULES:
        for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module.as_posix())
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
