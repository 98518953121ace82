"""Which plugins are found, which are wanted, and what is refused; nothing is imported."""

from __future__ import annotations

import importlib
import logging
import shutil
import sys
from collections.abc import Callable
from email import message_from_string
from email.message import Message
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from qehost.config.settings import PluginSettings
from qehost.errors import ConfigError, UnknownPlugin
from qehost.host.discovery import Candidate, find, find_what_is_left, installed
from qehost.host.loading import imported

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


def test_each_distribution_whose_metadata_cannot_be_read_is_named(
    install: Write, caplog: pytest.LogCaptureFixture
) -> None:
    install("demo-plugin", "demo = demo_module")
    undecodable = install("undecodable", "sink = module")
    (undecodable / "METADATA").write_bytes(b"Name: \xff")
    malformed = install("malformed", "this is no entry point")
    with caplog.at_level(logging.WARNING):
        assert [each.name for each in installed()] == ["demo"]
    told = [record.getMessage() for record in caplog.records]
    assert sum(str(undecodable) in text for text in told) == 1
    assert sum(str(malformed) in text for text in told) == 1


def test_a_distribution_without_metadata_keeps_its_plugins(install: Write) -> None:
    (install("demo-plugin", "demo = demo_module") / "METADATA").unlink()
    assert list(installed()) == [Candidate("demo", "demo_module")]


@pytest.mark.parametrize("missing", ["empty", "None", "raises"])
def test_it_keeps_them_whatever_this_python_says_of_missing_metadata(
    install: Write, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Up to 3.13 it is empty, in 3.14 None, and 3.15 raises a FileNotFoundError."""

    def metadata(distribution: Distribution) -> Message | None:
        if text := distribution.read_text("METADATA"):
            return message_from_string(text)
        if missing == "raises":
            raise FileNotFoundError
        return Message() if missing == "empty" else None

    monkeypatch.setattr(Distribution, "metadata", property(metadata))
    install("whole", "whole = whole_module")
    (install("demo-plugin", "demo = demo_module") / "METADATA").unlink()
    found = {each.name: each.source for each in installed()}
    assert found == {"demo": "", "whole": "whole 1.0"}


def test_metadata_of_one_distribution_twice_is_one_plugin(
    install: Write, site: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    install("demo-plugin", "demo = demo_module")
    install("Demo_Plugin", "demo = demo_module", version="0.9", into=other)
    sys.path.append(str(other))
    (found,) = find()
    assert (found.wanted, found.source) == ("yes", "demo-plugin 1.0")


def test_what_an_interrupted_pip_left_is_not_installed(install: Write) -> None:
    old = install("y-plugin", "mine = y_old", version="1.0")
    old.rename(old.with_name("~" + old.name[1:]))
    assert list(installed()) == []
    install("y-plugin", "mine = y_plugin", version="1.1")
    assert list(installed()) == [Candidate("mine", "y_plugin", "y-plugin", "1.1")]
    # Of the same version one is as good as the other.
    same = install("zz-plugin", "other = z_plugin", version="1.0")
    shutil.copytree(same, same.with_name("~" + same.name[1:]))
    assert [each.name for each in installed()].count("other") == 1


def test_a_distribution_that_is_there_in_two_versions_is_told(
    install: Write, caplog: pytest.LogCaptureFixture
) -> None:
    first = install("demo-plugin", "demo = demo_module", version="1.0")
    second = install("demo-plugin", "demo = demo_module", version="1.1")
    assert first != second
    with caplog.at_level(logging.WARNING):
        assert len(list(installed())) == 1
    (record,) = caplog.records
    for word in ("demo-plugin", "1.0", "1.1", str(first.parent), "install it again"):
        assert word in record.getMessage()


def test_an_entry_point_without_a_name_is_told_and_the_others_are_used(
    install: Write, caplog: pytest.LogCaptureFixture
) -> None:
    install("demo-plugin", "= nameless\ndemo = demo_module")
    with caplog.at_level(logging.WARNING):
        assert [each.name for each in installed()] == ["demo"]
    (record,) = caplog.records
    assert "demo-plugin has a plugin without a name (nameless)" in record.getMessage()


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
    assert find(["my_sink:Sink"]) == [Candidate("my_sink", "my_sink:Sink", given="my_sink:Sink")]
    assert find(["my_sink", "my_sink"]) == [Candidate("my_sink", "my_sink", given="my_sink")]


@pytest.mark.parametrize("attribute", ["", ":Sink"])
def test_a_file_is_a_plugin_named_after_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attribute: str
) -> None:
    (tmp_path / "local_sink.py").write_text("")
    monkeypatch.chdir(tmp_path)
    specs = [f"local_sink.py{attribute}", f"{tmp_path}/local_sink.py{attribute}"]
    (found,) = find(specs)
    assert (found.name, found.value) == ("local_sink", f"local_sink{attribute}")
    assert all(found.is_meant_by(spec) for spec in specs)
    assert "local_sink" not in sys.modules


def test_a_file_elsewhere_can_import_what_stands_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "beside_it.py").write_text("ANSWER = 42")
    (folder / "local_sink.py").write_text("from beside_it import ANSWER")
    (found,) = find([str(folder / "local_sink.py")])
    assert imported(found).ANSWER == 42


def test_a_files_name_need_not_be_an_identifier(tmp_path: Path) -> None:
    file = tmp_path / "my-sink.py"
    file.write_text("class Sink: ...")
    (found,) = find([f"{file}:Sink"])
    assert (found.name, imported(found).__name__) == ("my-sink", "Sink")


def test_a_file_whose_module_would_be_another_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    write("my_sink", "")
    for name in ("my_sink", "json", "sys"):
        (tmp_path / f"{name}.py").write_text("")
    monkeypatch.chdir(tmp_path)
    for name in ("my_sink", "json", "sys"):
        assert f"a module called {name} is elsewhere" in why(f"{name}.py")
        assert why(f"{name}.py").endswith("give the file another name")


def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert why("./a.py") == "plugin ./a.py: there is no file a.py"
    (tmp_path / "a.b.py").write_text("")
    assert "rename a.b" in why("a.b.py")


def named(module: str, folder: Path) -> dict[str, PluginSettings]:
    return {"mine": PluginSettings(module=module, section="mine", folder=str(folder))}


@pytest.mark.parametrize("form", ["{}/local_sink.py", "{}/local_sink.py:Sink", "local_sink"])
def test_the_settings_name_a_module_and_the_section_is_the_plugins_name(
    tmp_path: Path, form: str
) -> None:
    (tmp_path / "local_sink.py").write_text("")
    settings = named(form.format(tmp_path), tmp_path)
    (found,) = find(settings=settings)
    assert (found.name, found.settings) == ("mine", settings["mine"])
    assert found.value.partition(":")[0] == "local_sink"
    assert states(find(["no:mine"], settings)) == {"mine": "blocked"}


def test_a_file_that_is_named_by_both_is_one_plugin(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("")
    assert states(find([str(file)], named(str(file), tmp_path))) == {"mine": "yes"}


def test_a_module_of_the_settings_that_can_not_be_had_is_a_mistake_with_its_place(
    install: Write, tmp_path: Path
) -> None:
    install("demo-plugin", "demo = demo_module")
    settings = {
        name: PluginSettings(module=module, places={f"plugins.{name}.module": "file:1"})
        for name, module in {"a": "nowhere", "b": "./b.py", "c": "x y", "demo": "sys"}.items()
    }
    with pytest.raises(ConfigError) as caught:
        find(settings=settings)
    assert caught.value.mistakes == [
        "file:1: plugins.a.module: no module nowhere can be imported",
        "file:1: plugins.b.module: there is no file b.py",
        (
            "file:1: plugins.c.module: a plugin is named by MODULE or FILE.py, either with "
            ":ATTRIBUTE or not"
        ),
        (
            "file:1: plugins.demo.module: demo-plugin 1.0 brings a plugin of this name: remove the "
            "setting, or give the section another name"
        ),
    ]
    assert states(find_what_is_left([], settings)) == {"demo": "yes"}


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


@pytest.mark.parametrize("spec", ["", "a:", "a b", "a:b:c", "-x"])
def test_a_spec_that_is_no_name_is_refused(spec: str) -> None:
    assert why(spec) == (
        f"plugin {spec}: -p takes NAME, MODULE or FILE.py, either with :ATTRIBUTE or not, or "
        "no:NAME"
    )


def test_every_section_of_an_unknown_plugin_is_a_mistake(install: Write) -> None:
    install("demo-plugin", "console = demo_module")
    with pytest.raises(ConfigError) as caught:
        find(settings={"consle": PluginSettings(), "x": PluginSettings()})
    assert caught.value.mistakes == [
        (
            "plugins.consle: no plugin of this name is installed or given with -p "
            "(did you mean console?)"
        ),
        (
            "plugins.x: no plugin of this name is installed or given with -p; a module is named by "
            "module = …, in [plugins.x]"
        ),
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
