"""Which plugins are found, which are wanted, and what is refused; nothing is imported."""

from __future__ import annotations

import importlib
import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qehost.errors import ConfigError, UnknownPlugin
from qehost.host.finding import Candidate, find, find_what_is_left, installed
from qehost.settings import PluginSettings

Write = Callable[..., Path]
OFF = {"demo": PluginSettings(enabled=False)}


def states(found: list[Candidate]) -> dict[str, str]:
    return {each.name: each.wanted for each in found}


def why(*specs: str) -> str:
    with pytest.raises(UnknownPlugin) as caught:
        find(specs)
    return str(caught.value)


def test_an_installed_plugin_is_found_with_its_distribution_and_version(install: Write) -> None:
    install("demo-plugin", "demo = demo_module:Demo", version="1.2")
    assert list(installed()) == [Candidate("demo", "demo_module:Demo", "demo-plugin", "1.2")]


def test_finding_imports_nothing(install: Write, write: Write) -> None:
    write("demo_module", "raise AssertionError")
    write("pkg/__init__", "raise AssertionError")
    write("pkg/inner", "")
    install("demo-plugin", "demo = demo_module")
    assert states(find(["pkg.inner"])) == {"demo": "yes", "pkg.inner": "yes"}
    assert "demo_module" not in sys.modules
    assert "pkg" not in sys.modules


def test_malformed_metadata_of_one_distribution_hides_no_other_plugin(
    install: Write, caplog: pytest.LogCaptureFixture
) -> None:
    broken = install("broken", "this is no entry point")
    install("demo-plugin", "demo = demo_module")
    with caplog.at_level(logging.WARNING):
        assert [each.name for each in installed()] == ["demo"]
    (record,) = caplog.records
    assert str(broken) in record.getMessage()
    assert "install it again" in record.getMessage()


def test_a_distribution_without_metadata_keeps_its_plugins(install: Write) -> None:
    (install("demo-plugin", "demo = demo_module") / "METADATA").unlink()
    assert list(installed()) == [Candidate("demo", "demo_module")]


def test_metadata_of_one_distribution_twice_is_one_plugin(
    install: Write, site: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    install("demo-plugin", "demo = demo_module")
    install("Demo_Plugin", "demo = demo_module", version="0.9", into=other)
    sys.path.append(str(other))
    (found,) = find()
    assert (found.wanted, found.source) == ("yes", "demo-plugin 1.0")


def test_two_distributions_with_a_plugin_of_one_name_are_both_refused(install: Write) -> None:
    install("alpha", "my-sink = alpha_module")
    install("beta", "My_Sink = beta_module", version="2.1")
    install("gamma", "other = gamma_module")
    found = find()
    assert states(found) == {"My_Sink": "clash", "my-sink": "clash", "other": "yes"}
    assert found[0].why == (
        "more than one plugin has this name: alpha 1.0, beta 2.1; uninstall all but one, or block "
        "the others with -p no:DISTRIBUTION"
    )


def test_blocking_one_of_two_distributions_lets_the_other_be_used(install: Write) -> None:
    install("alpha", "sink = alpha_module")
    install("beta", "sink = beta_module")
    found = {each.distribution: each.wanted for each in find(["no:alpha"])}
    assert found == {"alpha": "blocked", "beta": "yes"}


@pytest.mark.parametrize("spec", ["no:demo", "no:DEMO", "no:demo-plugin", "no:Demo_Plugin"])
def test_a_plugin_is_blocked_by_its_name_or_its_distributions(install: Write, spec: str) -> None:
    install("demo-plugin", "demo = demo_module")
    (found,) = find([spec])
    assert (found.wanted, found.why) == ("blocked", f"-p {spec}")


def test_a_plugin_that_the_settings_disable_is_not_wanted(install: Write) -> None:
    install("demo-plugin", "demo = demo_module")
    (found,) = find(settings=OFF)
    assert (found.wanted, found.why) == ("disabled", "enabled = false in the settings")


@pytest.mark.parametrize("spec", ["demo", "Demo", "demo_module"])
def test_naming_a_disabled_plugin_enables_it(install: Write, spec: str) -> None:
    install("demo-plugin", "demo = demo_module")
    assert states(find([spec], OFF)) == {"demo": "yes"}


def test_the_last_of_two_specs_decides(install: Write) -> None:
    install("demo-plugin", "demo = demo_module")
    assert states(find(["no:demo", "demo"])) == {"demo": "yes"}
    assert states(find(["demo", "no:demo"])) == {"demo": "blocked"}


def test_a_module_is_named_after_itself(write: Write) -> None:
    write("my_sink", "")
    assert find(["my_sink:Sink"]) == [Candidate("my_sink", "my_sink:Sink")]
    assert find(["my_sink", "my_sink"]) == [Candidate("my_sink", "my_sink")]


def test_a_module_in_the_current_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local_sink.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert states(find(["local_sink"])) == {"local_sink": "yes"}


def test_a_file_in_the_current_folder_takes_no_modules_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    write("my_sink", "")
    monkeypatch.chdir(tmp_path)
    find(["my_sink"])
    assert sys.path[0] != ""


def test_settings_reach_the_plugin_however_its_name_is_written(install: Write) -> None:
    install("demo-plugin", "my-demo = demo_module")
    settings = PluginSettings(order=3, own={"colour": "red"})
    (found,) = find(settings={"My_Demo": settings})
    assert found.settings is settings


def test_plugins_come_by_order_then_name(install: Write) -> None:
    install("demo-plugin", "b = m", "c = m", "a = m", "d = m")
    orders = {"c": PluginSettings(order=-1), "a": PluginSettings(order=5)}
    assert [each.name for each in find(settings=orders)] == ["c", "b", "d", "a"]


def test_a_name_that_exists_nowhere_is_refused_with_the_nearest(install: Write) -> None:
    install("demo-plugin", "console = demo_module")
    assert why("consle") == (
        "plugin consle: no plugin of this name is installed, and no module of this name can be "
        "imported (did you mean console?)"
    )
    assert why("sys.nowhere") == (
        "plugin sys.nowhere: no plugin of this name is installed, and no module of this name can "
        "be imported"
    )
    assert why("json.nowhere") == (
        "plugin json.nowhere: no plugin of this name is installed, and no module of this name can "
        "be imported"
    )


def test_blocking_a_name_that_exists_nowhere_is_refused_with_the_nearest(install: Write) -> None:
    install("demo-plugin", "console = demo_module")
    assert why("no:demo-plugins") == (
        "plugin demo-plugins: -p no:demo-plugins blocks nothing: no plugin and no distribution "
        "with plugins has this name (did you mean demo-plugin?)"
    )
    assert why("no:") == (
        "plugin : -p no: blocks nothing: no plugin and no distribution with plugins has this name"
    )


@pytest.mark.parametrize("spec", ["", "a:", "a b", "./a.py", "a:b:c", "-x"])
def test_a_spec_that_is_no_name_is_refused(spec: str) -> None:
    assert why(spec) == f"plugin {spec}: -p takes NAME, MODULE, MODULE:ATTRIBUTE or no:NAME"


def test_every_section_of_an_unknown_plugin_is_a_mistake(install: Write) -> None:
    install("demo-plugin", "console = demo_module")
    with pytest.raises(ConfigError) as caught:
        find(settings={"consle": PluginSettings(), "x": PluginSettings()})
    assert caught.value.mistakes == [
        (
            "plugins.consle: no plugin of this name is installed or given with -p "
            "(did you mean console?)"
        ),
        "plugins.x: no plugin of this name is installed or given with -p",
    ]


def test_what_was_uninstalled_since_the_start_keeps_no_other_plugin_away(
    install: Write, write: Write, site: Path
) -> None:
    gone = install("gone-plugin", "gone = gone_module", "off = gone_module")
    install("demo-plugin", "demo = demo_module")
    local = write("local_sink", "")
    specs = ["no:off", "local_sink", "gone", "no:demo"]
    settings = {"gone": PluginSettings(order=1), "demo": PluginSettings(order=2)}
    assert find_what_is_left(specs, settings) == find(specs, settings)
    shutil.rmtree(gone)
    local.unlink()
    importlib.invalidate_caches()
    (demo,) = find_what_is_left(specs, settings)
    assert (demo.name, demo.wanted, demo.settings.order) == ("demo", "blocked", 2)
