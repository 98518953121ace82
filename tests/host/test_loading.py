"""Importing, configuring, building and checking plugins; every refusal is asserted as a whole."""

from __future__ import annotations

import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qehost.config.settings import OF_PLUGINS, PluginSettings
from qehost.host.discovery import find
from qehost.host.loading import PluginReport, Plugins, load

Write = Callable[..., Path]


def load_one(**own: Any) -> PluginReport:
    """The report of the plugin `demo`, with these settings of its own."""
    (report,) = load(find(settings={"demo": PluginSettings(own=own)})).reports
    return report


# --- what can be a plugin ------------------------------------------------------------------------


def test_a_module_is_a_plugin(install: Write, write: Write) -> None:
    write("demo_module", "def on_fill(message): ...\ndef on_start(): ...\ndef helper(): ...")
    install("demo-plugin", "demo = demo_module", version="1.2")
    assert load_one() == PluginReport(
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


def test_of_a_module_without_hooks_the_class_plugin_is_built_with_its_own_config(
    install: Write, write: Write
) -> None:
    write(
        "demo_module", CONFIGURED.replace("class Demo", "class Plugin").partition("def on_start")[0]
    )
    install("demo-plugin", "demo = demo_module")
    plugins = load(find(settings={"demo": PluginSettings(own={"url": "x"})}))
    assert plugins.configs["demo"].url == "x"
    assert plugins.implementations["on_fill"][0].function() is plugins.configs["demo"]


def test_a_module_without_hooks_is_told_which_of_its_classes_has_some(
    install: Write, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("demo_module", "class Sink:\n    def on_fill(self): ...")
    install("demo-plugin", "demo = demo_module")
    assert load_one().hooks == ()
    assert "plugin demo implements no hook; there are some in demo_module:Sink" in caplog.text


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


def test_a_context_has_the_folder_that_paths_in_the_settings_count_from(
    install: Write, write: Write, tmp_path: Path
) -> None:
    write("demo_module", "def on_start(): ...")
    install("demo-plugin", "demo = demo_module")
    of_a_file = load(find(settings={"demo": PluginSettings(folder=str(tmp_path / "etc"))}))
    assert of_a_file.contexts((), tmp_path, print)["demo"].settings_dir == tmp_path / "etc"
    without = load(find(settings={"demo": PluginSettings()}))
    assert without.contexts((), tmp_path, print)["demo"].settings_dir == Path.cwd()


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
        "plugins.demo.zzz: unknown setting (known here: url, retries, verbose, inner, many, "
        f"{', '.join(OF_PLUGINS)}); "
        "plugins.demo.url: a value is needed (a text); "
        'plugins.demo.retries: expected a whole number, got "many"; '
        "plugins.demo.many[2].depth: expected `int`, got `str`"
    )


def test_what_a_plugin_wants_is_told_with_what_is_wrong_in_it(install: Write, write: Write) -> None:
    write("demo_module", "class Demo:\n  max_wait = 'long'\n  def on_batch(self): ...")
    install("demo-plugin", "demo = demo_module:Demo")
    report = load_one()
    assert report.invalid
    assert report.why.startswith("its class attribute max_wait must be a number > 0")


def test_what_a_plugin_wants_goes_with_it_and_the_settings_win(
    install: Write, write: Write
) -> None:
    write("demo_module", "class Demo:\n  max_wait = 5.0\n  def on_batch(self): ...")
    install("demo-plugin", "demo = demo_module:Demo")
    plugins = load(find(settings={"demo": PluginSettings(max_wait=0.5)}))
    assert plugins.subscriptions["demo"].max_wait == 0.5


def test_a_config_with_a_name_of_qehosts_own_is_warned_about(
    install: Write, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write(
        "demo_module",
        "import msgspec\nclass Config(msgspec.Struct):\n  symbols: list[str] = []\n",
    )
    install("demo-plugin", "demo = demo_module")
    load_one()
    assert "plugin demo: its Config has symbols, which [plugins.demo] has" in caplog.text


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


def test_a_property_that_raises_is_told_and_no_hook_of_it_is_called(
    install: Write, write: Write
) -> None:
    write(
        "demo_module",
        """
        class Demo:
            @property
            def max_events(self): return 1 / 0
            def on_batch(self, events): ...
        """,
    )
    install("demo-plugin", "demo = demo_module:Demo")
    plugins = load(find())
    (report,) = plugins.reports
    assert report.state == "failed"
    assert "can't be asked what it wants: ZeroDivisionError" in report.why
    assert plugins.implementations["on_batch"] == ()


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
