"""Imports run one way: from the commands to the processes to the core to the messages."""

from __future__ import annotations

import ast
from pathlib import Path

import qehost

PACKAGE = Path(qehost.__file__).parent

# From the top down.  A module may import what stands in a later line, or in its own.
LAYERS = (
    ("cli",),
    ("testing", "service"),
    ("supervisor",),
    ("supervision",),
    ("simulator",),
    ("connection", "host"),
)


def layer_of(module: str) -> int:
    part = module.removeprefix("qehost.").partition(".")[0]
    return next((n for n, names in enumerate(LAYERS) if part in names), len(LAYERS))


def imports_of(file: Path) -> set[str]:
    """What a module imports at run time (not under `if TYPE_CHECKING`)."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = PACKAGE.parent / node.module.replace(".", "/") / f"{alias.name}.py"
                found.add(f"{node.module}.{alias.name}" if inner.exists() else node.module)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text(encoding="utf-8")))
    return {name for name in found if name.startswith("qehost.")}


def graph() -> dict[str, set[str]]:
    return {
        ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): imports_of(file)
        for file in PACKAGE.rglob("*.py")
        if file.parent != PACKAGE or file.name != "__init__.py"
    }


def test_no_module_imports_from_a_layer_above_its_own() -> None:
    upward = [
        f"{module} imports {name}"
        for module, names in graph().items()
        for name in names
        if layer_of(name) < layer_of(module)
    ]
    assert upward == []


def test_no_imports_run_in_a_circle() -> None:
    modules = graph()
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join((*path, module))
        if module not in done:
            for name in modules.get(module, ()):
                visit(name, (*path, module))
            done.add(module)

    for module in modules:
        visit(module, ())


def test_the_messages_import_nothing_of_ours() -> None:
    assert graph()["qehost.messages"] == set()
