"""The help of each command, and what is suggested for one that does not exist."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from itertools import pairwise

import click
import pytest
from click.testing import CliRunner
from running import QEHOST

from qehost.cli import COMMANDS, main
from qehost.cli.help import OTHERS, SUBJECTS, Command
from qehost.cli.options import complete_plugin
from qehost.simulator.faults import parse


def commands(group: click.Group = main, path: str = "qehost") -> Iterator[tuple[str, Command]]:
    """qehost's own, with those of groups; which plugins are installed makes no difference."""
    context = click.Context(group)
    names = list(COMMANDS) if group is main else group.list_commands(context)
    for name in names:
        command = click.Group.get_command(group, context, name) or main.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            assert isinstance(command, Command)
            yield f"{path} {name}", command


ALL = dict(commands())


@pytest.mark.parametrize("line", ALL)
def test_each_command_has_examples_that_its_options_allow(line: str) -> None:
    command = ALL[line]
    assert command.examples
    for example in command.examples:
        own = example.rpartition("&& ")[2].partition(" | ")[0]
        assert own.startswith(line)
        words = shlex.split(own.removeprefix(line))
        # Without looking whether files exist.
        with click.Context(command, resilient_parsing=True) as context:
            command.make_parser(context).parse_args(words)
        for before, word in pairwise(words):
            if before == "--fault":
                parse(word)


@pytest.mark.parametrize("line", ["qehost", *ALL])
def test_the_help_is_short_and_every_option_stands_under_a_subject(line: str) -> None:
    shown = CliRunner().invoke(main, [*line.split()[1:], "--help"], terminal_width=80)
    assert shown.exit_code == 0
    assert "\nExamples:\n" in shown.output
    if line != "qehost simulate":  # it lists the faults
        assert len(shown.output.splitlines()) <= 65
    if line in ALL:
        command = ALL[line]
        with click.Context(command, info_name=line) as context:
            subjects = command.by_subject(context)
        assert set(subjects) <= {OTHERS, *SUBJECTS}


def test_every_subject_has_options() -> None:
    names = {parameter.name for command in ALL.values() for parameter in command.params}
    assert {name for each in SUBJECTS.values() for name in each} <= names


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["rn"], "there is no command rn (did you mean run?)"),
        (["relaod"], "there is no command relaod (did you mean reload?)"),
        (["journal", "exprot"], "there is no command exprot (did you mean export?)"),
        (["xyzzy"], "there is no command xyzzy\n"),
        (["run", "--simulat"], "--simulate"),
        (["new-plugin", "a", "--hooks", "on_fil"], "did you mean on_fill?"),
    ],
)
def test_the_nearest_name_is_suggested(words: list[str], text: str) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert text in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_and_options_are_completed(shell: str) -> None:
    variables = {"_QEHOST_COMPLETE": f"{shell}_complete"}

    def completed(words: str) -> str:
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        if shell == "fish":
            asked = {"COMP_WORDS": words, "COMP_CWORD": words.rpartition(" ")[2]}
        done = subprocess.run(
            QEHOST,
            env={**os.environ, **variables, **asked},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert "reload" in completed("qehost re")
    assert "--simulate" in completed("qehost run --si")
    assert "dead-letters" in completed("qehost journal de")


def test_a_shell_completes_installed_plugins_or_files(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [EntryPoint(name, "x:Y", "qehost") for name in ("store", "stats", "console")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: entries)

    def completed(begun: str) -> list[tuple[str, str]]:
        found = complete_plugin(click.Context(main), click.Option(["-p"]), begun)
        return [(each.value, each.type) for each in found]

    assert completed("st") == [("stats", "plain"), ("store", "plain")]
    assert completed("my") == [("my", "file")]
