"""What a plugin implements, and whether it can be called that way.

pluggy finds the implementations, reads their options and holds them.  It knows more than we allow
(wrappers) and lets pass what could never work (coroutines, keyword-only parameters), so each
implementation is checked first, with texts that an author can act on.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import pluggy

from qehost import hookspecs
from qehost.errors import PluginError
from qehost.host.arguments import HOOKS
from qehost.names import suggestion

__all__ = ["Registry"]

DECLARE = "declare the arguments you want by these names, in any order"


class Registry(pluggy.PluginManager):
    """The plugins and their implementations of our hooks."""

    def __init__(self) -> None:
        super().__init__(hookspecs.PROJECT)
        self.add_hookspecs(hookspecs)
        self._warnings: dict[str, tuple[str, ...]] = {}

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """A function named like a hook is one, marked or not."""
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
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                self.register(plugin, name)
        except Refusal as refusal:
            raise PluginError(name, str(refusal), source) from None
        except (pluggy.PluginValidationError, ValueError) as error:
            # What is left to pluggy: the same object under two names.
            other = self.get_name(plugin)
            text = f"it is the same object as plugin {other}" if other else str(error)
            raise PluginError(name, text, source) from None
        self._warnings[name] = tuple(str(each.message) for each in told)
        implemented = {caller.name for caller in self.get_hookcallers(plugin) or ()}
        return tuple(hook for hook in HOOKS if hook in implemented)

    def warnings(self, name: str) -> tuple[str, ...]:
        """What this plugin uses of the hooks and should no longer."""
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
                raise Refusal(
                    f"{attribute} is no hook{hint}; if it is not meant as one, give it a name that "
                    "does not begin with on_"
                )
            return
        hook = options.get("specname") or attribute
        if function is None:
            raise Refusal(f"{attribute} is marked as a hook, but it is no plain function or method")
        if hook not in HOOKS:
            if options.get("optionalhook"):
                return
            raise Refusal(
                f"{hook} is no hook{suggestion(hook, HOOKS)}; if it is one of a later version of "
                "qehost, mark it with @hookimpl(optionalhook=True)"
            )
        if options.get("wrapper") or options.get("hookwrapper"):
            raise Refusal(
                f"{hook} is marked as a wrapper: plugins can't wrap each other's hooks; "
                "use tryfirst or trylast to be called before or after the others"
            )
        _check_signature(hook, function)


class Refusal(Exception):
    """Why a plugin can't be used."""


def _function(plugin: object, name: str) -> Callable[..., Any] | None:
    """The function or method of this name, bound; nothing of the plugin's is run to find it.

    These are the ones that pluggy takes.
    """
    static = inspect.getattr_static(plugin, name, None)
    inner = static.__func__ if isinstance(static, staticmethod | classmethod) else static
    if not isinstance(inner, FunctionType | MethodType):
        return None
    function: Callable[..., Any] = getattr(plugin, name)
    return function


def _refuse_value(plugin: object, hook: str) -> None:
    """Refuse what is named like a hook and is callable, but not in a way that can be checked."""
    static = inspect.getattr_static(plugin, hook, None)
    if callable(static) or hasattr(type(static), "__get__"):
        raise Refusal(
            f"{hook} is a {type(static).__name__}, and a hook must be a plain function or "
            f"method: write def {_signature(hook)} and call it in there"
        )


def _is_own(plugin: object, function: Callable[..., Any]) -> bool:
    """Whether the function is the plugin's code; libraries have on_… functions of their own."""
    home = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
    return _top(home) == _top(function.__module__)


def _top(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _signature(hook: str) -> str:
    return f"{hook}({', '.join(HOOKS[hook])})"


def _check_signature(hook: str, function: Callable[..., Any]) -> None:
    right = f"the hook is {_signature(hook)}: {DECLARE}"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise Refusal(
            f"{hook} is async, and hooks are called without an event loop: make it a plain def; "
            "to use asyncio, run a loop in a thread of your own and hand over to it "
            "(asyncio.run_coroutine_threadsafe)"
        )
    if inspect.isgeneratorfunction(function):
        raise Refusal(f"{hook} contains yield, so a call would run nothing of it: {right}")
    own: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise Refusal(f"{hook} has {stars}{name}, which no hook can fill: {right}")
        if parameter.kind is parameter.KEYWORD_ONLY:
            raise Refusal(
                f"{hook} has the keyword-only parameter {name}, and arguments are handed over by "
                f"position: remove the * before it; {right}"
            )
        if name not in HOOKS[hook]:
            if parameter.default is parameter.empty:
                raise Refusal(
                    f"{hook} has a parameter {name}, which the hook does not give"
                    f"{suggestion(name, HOOKS[hook])}; {right}"
                )
            own.append(name)
        elif own:
            raise Refusal(
                f"{hook} has the parameter {own[0]} of its own before {name}: "
                f"put it after the hook's; {right}"
            )
