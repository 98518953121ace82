"""The hooks that a plugin implements, and whether they can be called.

pluggy finds the implementations, reads their options and holds them.  It allows more than we do
(wrappers) and accepts what can't work (coroutines, keyword-only parameters), so each implementation
is checked first, with texts that tell its author what to change.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import pluggy

from qehost import hookspecs
from qehost.config.suggest import suggestion
from qehost.errors import PluginError
from qehost.host.annotations import given_type, wrong_annotation
from qehost.host.arguments import HOOKS, parameters

__all__ = ["Registry"]

DECLARE = "declare the arguments you want by these names, in any order"


class Registry(pluggy.PluginManager):
    """The plugins and their implementations of our hooks."""

    def __init__(self) -> None:
        super().__init__(hookspecs.PROJECT)
        self.add_hookspecs(hookspecs)
        self._warnings: dict[str, tuple[str, ...]] = {}

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """A function with the name of a hook is one, marked or not."""
        options = super().parse_hookimpl_opts(plugin, name)
        if options is None and name in HOOKS and _function(plugin, name):
            return pluggy.HookimplOpts(
                wrapper=False,
                hookwrapper=False,
                optionalhook=False,
                tryfirst=False,
                trylast=False,
                specname=None,
            )
        return options

    def add(self, plugin: object, name: str, source: str) -> tuple[str, ...]:
        """Check and register a plugin.  Returns the names of the hooks it implements.

        `source` is its distribution and version.  Raises `PluginError`.
        """
        try:
            for attribute in dir(plugin):
                self._check(plugin, attribute)
            # pluggy warns where a hookspec says so by warn_on_impl or warn_on_impl_args.
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self.register(plugin, name)
        except InvalidHook as invalid:
            raise PluginError(name, str(invalid), source) from None
        except (pluggy.PluginValidationError, ValueError) as error:
            # pluggy checks the rest: the same object under two names.
            other = self.get_name(plugin)
            text = f"it is the same object as plugin {other}" if other else str(error)
            raise PluginError(name, text, source) from None
        self._warnings[name] = tuple(str(each.message) for each in caught)
        implemented = {caller.name for caller in self.get_hookcallers(plugin) or ()}
        return tuple(hook for hook in HOOKS if hook in implemented)

    def warnings(self, name: str) -> tuple[str, ...]:
        """The deprecated hooks and arguments that this plugin uses."""
        return self._warnings.get(name, ())

    def implementations(self, hook: str) -> Iterator[pluggy.HookImpl]:
        """The implementations of a hook: `tryfirst`, plain, `trylast`, each as registered."""
        found = getattr(self.hook, hook).get_hookimpls()
        registered = [name for name, _ in self.list_name_plugin()]
        yield from sorted(
            found,
            key=lambda each: (
                each.trylast - (each.tryfirst and not each.trylast),
                registered.index(each.plugin_name),
            ),
        )

    def _check(self, plugin: object, attribute: str) -> None:
        options = self.parse_hookimpl_opts(plugin, attribute)
        function = _function(plugin, attribute)
        if options is None:
            if attribute in HOOKS and function is None:
                _refuse_value(plugin, attribute)
            if attribute.startswith("on_") and function and _is_own(plugin, function):
                hint = suggestion(attribute, HOOKS) or f" (the hooks are {', '.join(HOOKS)})"
                raise InvalidHook(
                    f"{attribute} is no hook{hint}; if it is not meant as one, give it a name that "
                    "does not begin with on_"
                )
            return
        hook = options.get("specname") or attribute
        if function is None:
            raise InvalidHook(
                f"{attribute} is marked as a hook, but it is no plain function or method"
            )
        if hook not in HOOKS:
            if options.get("optionalhook"):
                return
            raise InvalidHook(
                f"{hook} is no hook{suggestion(hook, HOOKS)}; if it is one of a later version of "
                "qehost, mark it with @hookimpl(optionalhook=True)"
            )
        if options.get("wrapper") or options.get("hookwrapper"):
            raise InvalidHook(
                f"{hook} is marked as a wrapper: plugins can't wrap each other's hooks; "
                "use tryfirst or trylast to be called before or after the others"
            )
        _check_signature(hook, function)


class InvalidHook(Exception):
    """A hook of a plugin can't be called."""


def _function(plugin: object, name: str) -> Callable[..., Any] | None:
    """The function or method of this name, bound; no code of the plugin runs to find it.

    pluggy takes the same ones.
    """
    static = inspect.getattr_static(plugin, name, None)
    inner = static.__func__ if isinstance(static, staticmethod | classmethod) else static
    if not isinstance(inner, FunctionType | MethodType):
        return None
    function: Callable[..., Any] = getattr(plugin, name)
    return function


def _refuse_value(plugin: object, hook: str) -> None:
    """Refuse what has the name of a hook and is callable, but has no signature to check."""
    static = inspect.getattr_static(plugin, hook, None)
    if callable(static) or hasattr(type(static), "__get__"):
        raise InvalidHook(
            f"{hook} is a {type(static).__name__}, and a hook must be a plain function or "
            f"method: write def {_signature(hook)} and call it in there"
        )


def _is_own(plugin: object, function: Callable[..., Any]) -> bool:
    """Whether the function is the plugin's own; libraries have on_… functions of theirs."""
    module = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
    return _top_package(module) == _top_package(function.__module__)


def _top_package(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _signature(hook: str) -> str:
    return f"{hook}({', '.join(HOOKS[hook])})"


def _check_signature(hook: str, function: Callable[..., Any]) -> None:
    right = f"the hook is {_signature(hook)}: {DECLARE}"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidHook(f"{hook} contains yield, so a call would run nothing of it: {right}")
    own_parameters: list[str] = []
    for name, parameter in parameters(function).items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise InvalidHook(f"{hook} has {stars}{name}, which no hook can fill: {right}")
        if parameter.kind is parameter.KEYWORD_ONLY:
            raise InvalidHook(
                f"{hook} has the keyword-only parameter {name}, and arguments are handed over by "
                f"position: remove the * before it; {right}"
            )
        if name not in HOOKS[hook]:
            if parameter.default is parameter.empty:
                raise InvalidHook(
                    f"{hook} has a parameter {name}, which the hook does not give"
                    f"{suggestion(name, HOOKS[hook])}; {right}"
                )
            own_parameters.append(name)
        elif wrong := wrong_annotation(hook, parameter):
            given = given_type(hook, name)
            raise InvalidHook(
                f"{hook} has its argument {name} annotated as {wrong}, and the hook gives {given}"
            )
        elif own_parameters:
            raise InvalidHook(
                f"{hook} has the parameter {own_parameters[0]} of its own before {name}: "
                f"put it after the hook's; {right}"
            )
