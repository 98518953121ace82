"""Nothing here depends on one version of Python or of a dependency: what is private there changes
without a note, annotations are evaluated in another way from 3.14 on, and `fork` is no longer the
start method.

The newest interpreters are not on every machine, so the source is read.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
import threading
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import qehost

ROOT = Path(__file__).parents[1]
PACKAGE = Path(qehost.__file__).parent

PRIVATE = re.compile(r"_(?!_)\w+")
# They begin with `_`, and are documented all the same: of named tuples, `os` and `sys`.
DOCUMENTED = {"_asdict", "_exit", "_field_defaults", "_fields", "_getframe", "_make", "_replace"}
# The modules inside a package of the standard library that its documentation has.
DOCUMENTED_PARTS = {
    *("collections.abc", "concurrent.futures", "email.utils", "http.client", "http.server"),
    *("importlib.machinery", "importlib.metadata", "importlib.resources", "importlib.util"),
    *("logging.handlers", "multiprocessing.connection", "os.path", "urllib.parse"),
    "urllib.request",
    "multiprocessing.context",  # for the name of a type alone
}
# What of `multiprocessing` is the same for every start method.
START_METHOD_FREE = {
    "Pipe",
    "connection",
    "context",
    "current_process",
    "get_context",
    "set_start_method",
}
# Gone in 3.14 or 3.15, or deprecated there with a warning that older versions do not give.
GONE = {
    *("asyncio.get_event_loop", "asyncio.get_event_loop_policy", "asyncio.iscoroutinefunction"),
    *("asyncio.set_event_loop_policy", "codecs.open", "typing.no_type_check_decorator"),
}


@cache
def sources() -> dict[str, ast.Module]:
    """What is shipped, by its path."""
    # But the package that new-plugin copies.
    ours = [file for file in PACKAGE.rglob("*.py") if "templates" not in file.parts]
    files = [(PACKAGE.parent, file) for file in ours]
    plugins = [file for file in ROOT.glob("plugins/*/**/*.py") if "tests" not in file.parts]
    # `peer.py` measures what is private in another library.
    benchmarks = [file for file in ROOT.glob("benchmarks/*.py") if file.name != "peer.py"]
    files += [(ROOT, file) for file in (*plugins, *benchmarks)]
    return {
        file.relative_to(base).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
        for base, file in sorted(files)
    }


def is_ours(name: str) -> bool:
    return name == "qehost" or name.startswith(("qehost.", "qehost_"))


def imports_of(tree: ast.Module) -> dict[str, str]:
    """What a module imports of others than ours, by the name that it has there."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.asname or a.name.partition(".")[0]: a.name for a in node.names}
    return {name: what for name, what in found.items() if not is_ours(what)}


@cache
def our_names() -> set[str]:
    """The private names that our own code defines."""
    found: set[str] = set()
    for tree in sources().values():
        for node in ast.walk(tree):
            match node:
                case (
                    ast.FunctionDef(name=name)
                    | ast.ClassDef(name=name)
                    | ast.Name(id=name, ctx=ast.Store())
                    | ast.Attribute(ast.Name("self" | "cls"), name, ast.Store())
                ):
                    found.add(name)
    return {name for name in found if PRIVATE.fullmatch(name)}


def private_uses(tree: ast.Module) -> Iterator[str]:
    """What a module names that is private to others, or in a module that is not documented."""
    foreign = imports_of(tree)
    for what in foreign.values():
        if any(map(PRIVATE.fullmatch, what.split("."))):
            yield what
        yield from filter(is_undocumented, (what, what.rpartition(".")[0]))
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=root, attr=name) if PRIVATE.fullmatch(name):
                while isinstance(root, ast.Attribute):
                    root = root.value
                is_foreign = isinstance(root, ast.Name) and root.id in foreign
                if name not in DOCUMENTED and (is_foreign or name not in our_names()):
                    yield ast.unparse(node)
            case ast.Call(ast.Name("getattr" | "hasattr"), [_, ast.Constant(str(name)), *_]):
                if PRIVATE.fullmatch(name):
                    yield ast.unparse(node)


def is_undocumented(name: str) -> bool:
    package, _, inner = name.partition(".")
    if not inner or package not in sys.stdlib_module_names or name in DOCUMENTED_PARTS:
        return False
    try:
        return inspect.ismodule(import_module(name))
    except ImportError:
        return False  # a name in a module


def inherited_uses(path: str, tree: ast.Module) -> Iterator[str]:
    """The private names of foreign base classes that a module's classes define or use."""
    module = import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for base in getattr(module, node.name).__mro__:
                if not is_ours(base.__module__) and base.__module__ not in ("builtins", "typing"):
                    for name in private_names(node) & names_of(base):
                        yield f"{name} of {base.__module__}.{base.__qualname__}"


def private_names(tree: ast.AST) -> set[str]:
    """What is defined in it, or is taken from `self`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(ast.Name("self"), name)
            ):
                found.add(name)
    return set(filter(PRIVATE.fullmatch, found)) - DOCUMENTED


@cache
def names_of(foreign: type) -> set[str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(foreign)))
    except (OSError, TypeError):  # it is not written in Python
        return set(vars(foreign))
    return set(vars(foreign)) | private_names(tree)


def test_nothing_private_of_python_or_of_a_dependency_is_used() -> None:
    found = {f"{path}: {use}" for path, tree in sources().items() for use in private_uses(tree)}
    for path, tree in sources().items():
        if path.startswith("qehost/"):  # plugins are not installed here
            found |= {f"{path}: {use}" for use in inherited_uses(path, tree)}
    assert found == set()


@pytest.mark.parametrize(
    "code",
    [
        "import threading\nthreading._shutdown()",
        "self._dangling.clear()",
        "getattr(distribution, '_path')",
        "from _pytest.config import Config",
        "import multiprocessing.popen_fork",
        "from multiprocessing import popen_fork",
        "from logging import _levelToName",
    ],
)
def test_it_would_be_found(code: str) -> None:
    assert list(private_uses(ast.parse(code)))


def test_it_would_be_found_in_a_class_of_ours() -> None:
    ours = ast.parse("class Ours(Thread):\n    def _bootstrap(self): self._target(self._own)")
    assert private_names(ours) & names_of(threading.Thread) == {"_bootstrap", "_target"}


def test_annotations_are_not_evaluated() -> None:
    """They may name what is imported for type checkers alone."""
    evaluating = {"get_type_hints", "get_annotations", "__annotations__", "eval_str"}
    found = set()
    for path, tree in sources().items():
        for node in ast.walk(tree):
            match node:
                case ast.Name(name) | ast.Attribute(attr=name) | ast.keyword(arg=name):
                    if name in evaluating:
                        found.add(f"{path}: {name}")
    assert found == set()


def test_a_module_that_has_annotations_keeps_them_as_text() -> None:
    found = []
    for path, tree in sources().items():
        annotated = any(
            getattr(node, "annotation", None) or getattr(node, "returns", None)
            for node in ast.walk(tree)
        )
        texts = any(
            isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body
        )
        if annotated and not texts:
            found.append(path)
    assert found == []


def test_no_process_is_started_by_a_method_that_depends_on_the_version() -> None:
    found = []
    for path, tree in sources().items():
        names = set(imports_of(tree).values())
        for node in ast.walk(tree):
            match node:
                case ast.Call(ast.Name(name) | ast.Attribute(attr=name), args):
                    told = [ast.unparse(arg) for arg in args]
                    if name in ("get_context", "set_start_method") and told != ["'spawn'"]:
                        found.append(f"{path}: {ast.unparse(node)}")
                case ast.Attribute(ast.Name("multiprocessing" | "os" as module), name):
                    names.add(f"{module}.{name}")
        for name in names:
            package, _, inner = name.partition(".")
            own_method = package == "multiprocessing" and inner.partition(".")[0]
            if own_method and own_method not in START_METHOD_FREE:
                found.append(f"{path}: {name}")
            if name in ("os.fork", "os.forkpty", "concurrent.futures.ProcessPoolExecutor"):
                found.append(f"{path}: {name}")
    assert found == []


def test_nothing_is_used_that_newer_versions_no_longer_have() -> None:
    found = []
    for path, tree in sources().items():
        names = set(imports_of(tree).values())
        names |= {ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        found += [f"{path}: {name}" for name in names & GONE]
    assert found == []
