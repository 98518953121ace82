"""Importing, configuring, building and checking plugins; every refusal is asserted as a whole."""

from __future__ import annotations

import signal
import stat
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from qehost.errors import PluginError
from qehost.hookspecs import hookimpl
from qehost.host.finding import find
from qehost.host.loading import Plugins, Report, load
from qehost.host.registry import Registry
from qehost.settings import PluginSettings

Write = Callable[..., Path]


def load_one(**own: Any) -> Report:
    """The report of the plugin `demo`, with these settings of its own."""
    (report,) = load(find(settings={"demo": PluginSettings(own=own)})).reports
    return report


def module(source: str) -> ModuleType:
    plugin = ModuleType("demo_module")
    exec(source, plugin.__dict__)
    return plugin


def refusal(plugin: Any) -> str:
    with pytest.raises(PluginError) as caught:
        Registry().add(plugin, "demo", "demo-plugin 1.2")
    return str(caught.value).removeprefix("plugin demo (from demo-plugin 1.2): ")


# --- what can be a plugin ------------------------------------------------------------------------


def test_a_module_is_a_plugin(install: Write, write: Write) -> None:
    write("demo_module", "def on_fill(message): ...\ndef on_start(): ...\ndef helper(): ...")
    install("demo-plugin", "demo = demo_module", version="1.2")
    assert load_one() == Report(
        name="demo",
        distribution="demo-plugin",
        version="1.2",
        module="demo_module",
        process="main",
        order=0,
        hooks=("on_start", "on_fill"),
        state="loaded",
        why="",
    )


def test_a_class_is_built_without_arguments(install: Write, write: Write) -> None:
    write(
        "demo_module",
        """
        class Demo:
            def __init__(self): self.seen = []
            def on_fill(self, message): self.seen.append(message)
        """,
    )
    install("demo-plugin", "demo = demo_module:Demo")
    plugins = load(find())
    (found,) = plugins.implementations["on_fill"]
    found.function("hello")
    assert found.function.__self__.seen == ["hello"]  # type: ignore[attr-defined]
    assert found.arguments == ("message",)
    assert plugins.configs == {"demo": None}


CONFIGURED = """
    import msgspec

    class Inner(msgspec.Struct, frozen=True):
        depth: int = 1

    class Config(msgspec.Struct):
        url: str
        retries: int = 3
        verbose: bool = False
        inner: Inner = Inner()
        many: list[Inner] = []

    class Demo:
        Config = Config
        def __init__(self, config): self.config = config
        def on_fill(self): return self.config

    def on_start(context): ...
"""


def test_a_class_with_config_is_built_with_it(install: Write, write: Write) -> None:
    write("demo_module", CONFIGURED)
    install("demo-plugin", "demo = demo_module:Demo")
    settings = PluginSettings(own={"url": "x", "retries": "5", "verbose": "true"})
    plugins = load(find(settings={"demo": settings}))
    config = plugins.configs["demo"]
    assert (config.url, config.retries, config.verbose, config.inner.depth) == ("x", 5, True, 1)
    assert plugins.implementations["on_fill"][0].function() is config


def test_a_modules_config_reaches_its_context(install: Write, write: Write, tmp_path: Path) -> None:
    write("demo_module", CONFIGURED)
    install("demo-plugin", "demo = demo_module")
    plugins = load(find(settings={"demo": PluginSettings(own={"url": "x"})}))
    asked: list[str] = []
    context = plugins.contexts(["main", "second"], tmp_path, asked.append)["demo"]
    assert context.config is plugins.configs["demo"]
    assert (context.plugin, context.accounts) == ("demo", ("main", "second"))
    assert context.logger.name == "qehost.plugin.demo"
    context.stop("enough")
    assert asked == ["enough"]


def test_a_plugins_state_folder_is_made_when_asked_for_and_is_private(
    install: Write, write: Write, tmp_path: Path
) -> None:
    write("demo_module", "def on_start(): ...")
    install("demo-plugin", "../Demo.x = demo_module")
    context = load(find()).contexts(["main"], tmp_path / "state", print)["../Demo.x"]
    assert not (tmp_path / "state").exists()
    folder = context.state_dir
    assert folder == context.state_dir == tmp_path / "state" / "plugins" / "-_demo-x"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_context_does_not_print_the_plugins_settings(
    install: Write, write: Write, tmp_path: Path
) -> None:
    write("demo_module", CONFIGURED)
    install("demo-plugin", "demo = demo_module")
    plugins = load(find(settings={"demo": PluginSettings(own={"url": "https://u:pw@x"})}))
    assert "pw" not in repr(plugins.contexts(["main"], tmp_path, print))


# --- one bad plugin is its own trouble -------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("raise ValueError('no')", "ValueError: no ({file}:1)"),
        ("\nraise SystemExit(3)", "SystemExit: 3 ({file}:2)"),
        ("raise GeneratorExit", "GeneratorExit ({file}:1)"),
        (
            "import nowhere_at_all",
            "ModuleNotFoundError: No module named 'nowhere_at_all' ({file}:1)",
        ),
        ("class E(Exception):\n __str__ = None\nraise E", "E ({file}:3)"),
    ],
)
def test_a_plugin_that_fails_to_import_costs_the_others_nothing(
    install: Write, write: Write, body: str, text: str
) -> None:
    file = write("bad_module", body)
    write("good_module", "def on_fill(): ...")
    install("some", "bad = bad_module", "good = good_module")
    bad, good = load(find()).reports
    assert (bad.state, good.state) == ("failed", "loaded")
    assert bad.why == f"bad_module can't be imported: {text.format(file=file)}"


def test_a_keyboard_interrupt_at_import_is_the_users(install: Write, write: Write) -> None:
    write("demo_module", "raise KeyboardInterrupt")
    install("demo-plugin", "demo = demo_module")
    with pytest.raises(KeyboardInterrupt):
        load(find())


def test_a_keyboard_interrupt_where_sigint_is_ignored_is_the_plugins(
    install: Write, write: Write
) -> None:
    file = write("demo_module", "raise KeyboardInterrupt")
    install("demo-plugin", "demo = demo_module")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        why = load_one().why
    finally:
        signal.signal(signal.SIGINT, before)
    assert why == f"demo_module can't be imported: KeyboardInterrupt ({file}:1)"


def test_a_missing_attribute_is_told(install: Write, write: Write) -> None:
    write("demo_module", "")
    install("demo-plugin", "demo = demo_module:Demo")
    assert load_one().why == (
        "demo_module:Demo can't be imported: AttributeError: "
        "module 'demo_module' has no attribute 'Demo'"
    )


def test_a_class_that_cant_be_built_is_told(install: Write, write: Write) -> None:
    write("demo_module", "class Demo:\n    def __init__(self, url): ...")
    install("demo-plugin", "demo = demo_module:Demo")
    assert load_one().why == (
        "demo_module:Demo can't be built: TypeError: "
        "Demo.__init__() missing 1 required positional argument: 'url'"
    )


def test_an_object_that_cant_be_looked_at_is_told(install: Write, write: Write) -> None:
    file = write("demo_module", "def __getattr__(name): raise RuntimeError(name)")
    install("demo-plugin", "demo = demo_module")
    assert load_one().why == f"demo_module can't be examined: RuntimeError: Config ({file}:1)"


def test_a_config_that_is_no_struct_is_told(install: Write, write: Write) -> None:
    write("demo_module", "class Config: ...")
    install("demo-plugin", "demo = demo_module")
    assert load_one().why == "its Config must be a subclass of msgspec.Struct"


def test_every_mistake_in_a_plugins_settings_is_told_with_its_path(
    install: Write, write: Write
) -> None:
    write("demo_module", CONFIGURED)
    install("demo-plugin", "demo = demo_module:Demo")
    why = load_one(
        retires=5, retries="many", inner={"dept": 1}, many=[{}, {"x": 1}, {"depth": "a"}], zzz=1
    ).why
    assert why == (
        "its settings are wrong: "
        "plugins.demo.retires: unknown setting (did you mean retries?); "
        "plugins.demo.inner.dept: unknown setting (did you mean depth?); "
        "plugins.demo.many[1].x: unknown setting (known here: depth); "
        "plugins.demo.zzz: unknown setting (known here: url, retries, verbose, inner, many); "
        "plugins.demo.url: a value is needed (a text); "
        "plugins.demo.retries: expected `int`, got `str`; "
        "plugins.demo.many[2].depth: expected `int`, got `str`"
    )


def test_what_a_config_says_of_the_whole_is_told(install: Write, write: Write) -> None:
    write(
        "demo_module",
        """
        import msgspec

        class Config(msgspec.Struct):
            low: int = 0
            high: int = 1
            def __post_init__(self):
                if self.low > self.high: raise ValueError("low is above high")
        """,
    )
    install("demo-plugin", "demo = demo_module")
    assert load_one(low=5).why == "its settings are wrong: plugins.demo: low is above high"


def test_settings_for_a_plugin_that_takes_none_are_refused(install: Write, write: Write) -> None:
    write("demo_module", "def on_fill(): ...")
    install("demo-plugin", "demo = demo_module")
    assert load_one(colour="red", depth=1).why == (
        "its settings are wrong: "
        "plugins.demo.colour: the plugin takes no settings of its own; "
        "plugins.demo.depth: the plugin takes no settings of its own"
    )


def test_blocked_disabled_and_clashing_plugins_are_not_imported(
    install: Write, write: Write
) -> None:
    write("bad_module", "raise AssertionError")
    install("one", "a = bad_module", "b = bad_module", "c = bad_module")
    install("two", "c = bad_module")
    plugins = load(find(["no:a"], {"b": PluginSettings(enabled=False)}))
    assert [(each.name, each.state) for each in plugins.reports] == [
        ("a", "blocked"),
        ("b", "disabled"),
        ("c", "failed"),
        ("c", "failed"),
    ]
    assert [each.why[:40] for each in plugins.failed] == 2 * [
        "more than one plugin has this name: one 1.0"[:40]
    ]


def test_only_the_plugins_of_one_process_are_imported(install: Write, write: Write) -> None:
    write("other_module", "raise AssertionError")
    write("demo_module", "def on_fill(): ...")
    install("some", "demo = demo_module", "other = other_module")
    found = find(settings={"other": PluginSettings(process="slow")})
    assert [each.name for each in load(found, "main").reports] == ["demo"]


def test_one_object_under_two_names_is_refused(install: Write, write: Write) -> None:
    write("demo_module", "def on_fill(): ...")
    install("some", "a = demo_module", "b = demo_module")
    _, second = load(find()).reports
    assert second.why == "it is the same object as plugin a"


# --- order ----------------------------------------------------------------------------------


def names(plugins: Plugins, hook: str = "on_fill") -> list[str]:
    return [each.plugin for each in plugins.implementations[hook]]


def test_plugins_are_called_by_order_then_name_within_tryfirst_and_trylast(
    install: Write, write: Write
) -> None:
    for name, mark in {"first": "tryfirst=True", "plain": "", "last": "trylast=True"}.items():
        for copy in ("one", "two"):
            write(
                f"{name}_{copy}",
                f"from qehost.hookspecs import hookimpl\n@hookimpl({mark})\ndef on_fill(): ...",
            )
    install(
        "some",
        "a = last_one",
        "b = last_two",
        "c = plain_one",
        "d = plain_two",
        "e = first_one",
        "f = first_two",
    )
    assert names(load(find())) == ["e", "f", "c", "d", "a", "b"]
    orders = {name: PluginSettings(order=-ord(name)) for name in "abcdef"}
    assert names(load(find(settings=orders))) == ["f", "e", "d", "c", "b", "a"]


# --- what is refused -------------------------------------------------------------------------

IMPORTS = "import functools\nfrom qehost.hookspecs import hookimpl\n"
RIGHT = (
    "the hook is on_fill(message, detail, event): "
    "declare the arguments you want by these names, in any order"
)
ASYNC = (
    "on_fill is async, and hooks are called without an event loop: make it a plain def; to use "
    "asyncio, run a loop in a thread of your own and hand over to it "
    "(asyncio.run_coroutine_threadsafe)"
)
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
        ("async def on_fill(message): ...", ASYNC),
        ("async def on_fill(message):\n yield", ASYNC),
        (
            "def on_fill(message):\n yield",
            f"on_fill contains yield, so a call would run nothing of it: {RIGHT}",
        ),
        ("@hookimpl(wrapper=True)\ndef on_fill():\n yield", WRAPPER),
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
