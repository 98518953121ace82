"""What of a module is the plugin: its functions, or its class `Plugin`."""

from __future__ import annotations

import inspect
import logging
from types import FunctionType, ModuleType
from typing import Any

from qehost.hookspecs import PROJECT

__all__ = ["classes_with_hooks", "plugin_in"]

logger = logging.getLogger("qehost.host")

CLASS = "Plugin"


def plugin_in(module: ModuleType, plugin: str) -> Any:
    """The module itself, or its class `Plugin` if no function of the module is a hook.

    `plugin` is the plugin's name.  Where both have hooks, that is logged.
    """
    kind = vars(module).get(CLASS)
    if not inspect.isclass(kind) or not _has_hooks(kind):
        return module
    if _has_hooks(module):
        logger.warning(
            "plugin %s: its hooks are the functions of the module %s; those of the class %s are "
            "not called, unless it is named as %s:%s",
            plugin,
            module.__name__,
            CLASS,
            module.__name__,
            CLASS,
        )
        return module
    return kind


def classes_with_hooks(module: object) -> list[str]:
    """The names, as for `-p`, of the classes of a module that have hooks."""
    if not isinstance(module, ModuleType):
        return []
    return [
        f"{module.__name__}:{name}"
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and _has_hooks(kind)
    ]


def _has_hooks(plugin: object) -> bool:
    """Whether functions of it are called like hooks, or marked as such.  Whether they can be called
    is the registry's to say."""
    return any(
        name.startswith("on_") or hasattr(function, f"{PROJECT}_impl")
        for name in dir(plugin)
        if isinstance(function := _function(plugin, name), FunctionType)
    )


def _function(plugin: object, name: str) -> object:
    static = inspect.getattr_static(plugin, name, None)
    return static.__func__ if isinstance(static, staticmethod | classmethod) else static
