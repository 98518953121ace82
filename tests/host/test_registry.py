"""What can be a hook and what never could; every refusal is asserted as a whole."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from qehost.errors import PluginError
from qehost.hookspecs import hookimpl
from qehost.host.loading import implementations
from qehost.host.registry import Registry


def module(source: str) -> ModuleType:
    plugin = ModuleType("demo_module")
    exec(source, plugin.__dict__)
    return plugin


def refusal(plugin: Any) -> str:
    with pytest.raises(PluginError) as caught:
        Registry().add(plugin, "demo", "demo-plugin 1.2")
    return str(caught.value).removeprefix("plugin demo (from demo-plugin 1.2): ")


# --- what is refused -------------------------------------------------------------------------

IMPORTS = "import functools\nfrom qehost.hookspecs import hookimpl\n"
RIGHT = (
    "the hook is on_fill(message, detail, event): "
    "declare the arguments you want by these names, in any order"
)
YIELDS = f"on_fill contains yield, so a call would run nothing of it: {RIGHT}"
WRAPPER = (
    "on_fill is marked as a wrapper: plugins can't wrap each other's hooks; use tryfirst or "
    "trylast to be called before or after the others"
)
NO_FUNCTION = (
    "and a hook must be a plain function or method: "
    "write def on_fill(message, detail, event) and call it in there"
)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("async def on_fill(message):\n yield", YIELDS),
        ("def on_fill(message):\n yield", YIELDS),
        ("@hookimpl(wrapper=True)\ndef on_fill():\n yield", WRAPPER),
        (
            "def on_fill(message: 'OrderMessage'): ...",
            (
                "on_fill has its argument message annotated as OrderMessage, and the hook gives "
                "FillMessage"
            ),
        ),
        ("@hookimpl(hookwrapper=True)\ndef on_fill():\n yield", WRAPPER),
        ("def on_fill(*args): ...", f"on_fill has *args, which no hook can fill: {RIGHT}"),
        ("def on_fill(**rest): ...", f"on_fill has **rest, which no hook can fill: {RIGHT}"),
        (
            "def on_fill(*, message): ...",
            (
                "on_fill has the keyword-only parameter message, and arguments are handed over "
                f"by position: remove the * before it; {RIGHT}"
            ),
        ),
        (
            "def on_fill(mesage): ...",
            (
                "on_fill has a parameter mesage, which the hook does not give "
                f"(did you mean message?); {RIGHT}"
            ),
        ),
        (
            "def on_fill(x): ...",
            f"on_fill has a parameter x, which the hook does not give; {RIGHT}",
        ),
        (
            "def on_fill(cache={}, message=None): ...",
            (
                "on_fill has the parameter cache of its own before message: put it after the "
                f"hook's; {RIGHT}"
            ),
        ),
        (
            "def on_fil(message): ...",
            (
                "on_fil is no hook (did you mean on_fill?); if it is not meant as one, give it a "
                "name that does not begin with on_"
            ),
        ),
        (
            "def on_zzzzzz(message): ...",
            (
                "on_zzzzzz is no hook (the hooks are on_start, on_stop, on_connected, "
                "on_disconnected, on_master_order, on_order, on_fill, on_status, on_error, "
                "on_raw_message, on_batch, on_tick); if it is not meant as one, give it a "
                "name that does not begin with on_"
            ),
        ),
        (
            "@hookimpl\ndef on_fil(message): ...",
            (
                "on_fil is no hook (did you mean on_fill?); if it is one of a later version of "
                "qehost, mark it with @hookimpl(optionalhook=True)"
            ),
        ),
        (
            "@hookimpl(specname='on_fil')\ndef handle(message): ...",
            (
                "on_fil is no hook (did you mean on_fill?); if it is one of a later version of "
                "qehost, mark it with @hookimpl(optionalhook=True)"
            ),
        ),
        ("on_fill = [].append", f"on_fill is a builtin_function_or_method, {NO_FUNCTION}"),
        ("on_fill = functools.partial(print)", f"on_fill is a partial, {NO_FUNCTION}"),
        ("class on_fill: ...", f"on_fill is a type, {NO_FUNCTION}"),
    ],
)
def test_what_could_never_work_is_refused(source: str, text: str) -> None:
    assert (
        refusal(module(f"import functools\nfrom qehost.hookspecs import hookimpl\n{source}"))
        == text
    )


def test_a_property_named_like_a_hook_is_refused_and_not_run() -> None:
    class Demo:
        @property
        def on_fill(self) -> None:
            raise AssertionError

    assert refusal(Demo()) == f"on_fill is a property, {NO_FUNCTION}"


def test_the_plugin_and_its_distribution_are_named_first() -> None:
    with pytest.raises(PluginError) as caught:
        Registry().add(module("def on_fil(): ..."), "demo", "demo-plugin 1.2")
    assert str(caught.value).startswith("plugin demo (from demo-plugin 1.2): on_fil is no hook")


# --- what is taken ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "@hookimpl(optionalhook=True)\ndef on_later(what): ...\ndef on_fill(): ...",
        "@hookimpl(specname='on_fill')\ndef handle(event): ...",
        "def on_fill(event, message, /): ...",
        "def on_fill(message, cache={}): ...",
        "on_error = None\ndef on_fill(): ...\ndef _on_private(): ...",
        "from asyncio import run as on_commit\ndef on_fill(): ...",
        """
def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

@logged
def on_fill(event, message): ...
""",
    ],
)
def test_what_can_work_is_taken(source: str) -> None:
    assert Registry().add(module(IMPORTS + source), "demo", "") == ("on_fill",)


def test_methods_of_every_kind_are_taken() -> None:
    class Demo:
        def on_fill(self, message: object) -> None: ...

        @classmethod
        def on_order(cls, message: object) -> None: ...

        @staticmethod
        def on_status(status: str) -> None: ...

        @hookimpl(trylast=True)
        def on_tick(self) -> None: ...

    expected = ("on_order", "on_fill", "on_status", "on_tick")
    assert Registry().add(Demo(), "demo", "") == expected


def test_an_object_with_functions_is_a_plugin() -> None:
    plugin = SimpleNamespace(on_status=lambda status: None)
    assert Registry().add(plugin, "demo", "") == ("on_status",)


def test_annotations_may_name_what_is_imported_for_type_checkers_alone() -> None:
    # Until 3.13 this line is needed for it, from 3.14 on annotations are evaluated when asked for.
    late = "" if sys.version_info >= (3, 14) else "from __future__ import annotations\n"
    plugin = module(f"{late}def on_fill(event: Nowhere, message: Nowhere) -> Nowhere: ...")
    registry = Registry()
    assert registry.add(plugin, "demo", "") == ("on_fill",)
    (found,) = implementations(registry)["on_fill"]
    assert found.arguments == ("event", "message")
