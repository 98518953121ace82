"""Whether there is a module that a plugin was named by; nothing is imported."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

from qehost.config.plugin_module import PluginModule

__all__ = ["make_importable", "source_of"]


def make_importable(module: PluginModule, folder: str = "") -> bool:
    """Whether the module can be imported by its name, from now on also from `folder` (`""`: the
    current one), or from where its file is.

    Raises `ValueError` if a module of that name is elsewhere, so that the file's would never be it.
    """
    if module.file is None or module.folder is None:
        _append(folder)
        return _found(module.name) is not None
    _append(str(module.folder))
    # The file may be younger than what is remembered of its folder.
    importlib.invalidate_caches()
    spec = _found(module.name)
    origin = spec.origin if spec is not None else None
    if origin is None or not Path(origin).exists() or not module.file.samefile(origin):
        raise ValueError(
            f"a module called {module.name} is elsewhere ({origin or 'built in'}) and would be "
            "imported in its place: give the file another name"
        )
    return True


def source_of(module: str) -> Path | None:
    """The folder of the package that it belongs to, or its own file; None: it has neither."""
    spec = _found(module.partition(".")[0])
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin and spec.has_location else None


def _append(folder: str) -> None:
    # As the last one, so that no file in it hides an installed module.
    if folder not in sys.path:
        sys.path.append(folder)


def _found(module: str) -> ModuleSpec | None:
    """Neither the module nor the packages above it are imported."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # in sys.modules, but not from a file
        return ModuleSpec(top, None) if top in sys.modules else None
    for depth, _ in enumerate(rest, 2):
        if spec is None:
            break
        name = ".".join(module.split(".")[:depth])
        spec = importlib.machinery.PathFinder.find_spec(name, spec.submodule_search_locations or [])
    return spec
