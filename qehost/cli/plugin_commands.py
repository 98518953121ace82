"""The commands that plugins add: entry points of the group `qehost.commands`.

They are looked for where a command is none of qehost's own, and for `qehost --help`, which imports
none of them: what it shows is in the metadata of their distributions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from importlib.metadata import Distribution

__all__ = ["GROUP", "PluginCommand", "load_command", "plugin_commands"]

GROUP = "qehost.commands"
CAN_NOT_BE_LOADED = 3


class PluginCommand(NamedTuple):
    """A command that a distribution has an entry point for."""

    name: str
    value: str
    distribution: str
    summary: str

    @property
    def help(self) -> str:
        return f"{self.summary or self.distribution} ({self.distribution})"


class UnusableCommand(click.ClickException):
    """Ends the program with one line on standard error."""

    exit_code = CAN_NOT_BE_LOADED

    def show(self, file: object = None) -> None:
        click.echo(f"qehost: {self.format_message()}", err=True)


def plugin_commands(own: Collection[str] = ()) -> dict[str, list[PluginCommand]]:
    """By name, sorted; more than one of a name where several distributions have it.

    Those with the name of one of qehost's own commands are left out.
    """
    import importlib.metadata  # which most of qehost's own commands do without

    found: dict[str, list[PluginCommand]] = defaultdict(list)
    seen = set()
    for distribution in importlib.metadata.distributions():
        try:
            commands = list(_commands(distribution))
        except Exception:  # noqa: BLE001 — any file on sys.path; `qehost plugins` names it
            continue
        for command in commands:
            # sys.path may have a distribution twice; the first one is imported.
            if command.name in own or (command.distribution, command.name) in seen:
                continue
            seen.add((command.distribution, command.name))
            found[command.name].append(command)
    return dict(sorted(found.items()))


def _commands(distribution: Distribution) -> Iterator[PluginCommand]:
    for entry in distribution.entry_points.select(group=GROUP):
        about = distribution.metadata
        name, summary = (about.get_all(key, [""])[0] for key in ("Name", "Summary"))
        yield PluginCommand(entry.name, entry.value, name, summary)


def load_command(commands: list[PluginCommand]) -> click.Command:
    """Import the command of a name.  Raises `click.ClickException`."""
    command, *others = commands
    if others:
        names = ", ".join(each.distribution for each in commands)
        raise UnusableCommand(
            f"more than one distribution has a command {command.name}: {names}; uninstall all but "
            "one"
        )
    from importlib.metadata import EntryPoint

    try:
        found = EntryPoint(command.name, command.value, GROUP).load()
    except (Exception, SystemExit) as error:
        raise UnusableCommand(
            f"the command {command.name} of {command.distribution} can't be imported: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, click.Command):
        raise UnusableCommand(
            f"the command {command.name} of {command.distribution} is a "
            f"{type(found).__name__}: its author has to make it a click command or group"
        )
    return found
