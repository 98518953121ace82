"""The options that several commands share: settings, state folder, plugins, faults."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from qehost import config
from qehost.cli.failure import handle_errors
from qehost.cli.simulated_state import used_folder
from qehost.config.folders import default_file
from qehost.config.suggest import suggestion

if TYPE_CHECKING:
    from qehost.simulator.faults import Fault

__all__ = [
    "complete_plugin",
    "config_option",
    "describe_config",
    "fault_option",
    "insecure_option",
    "protocol_option",
    "rest_url_option",
    "specs_option",
    "state_dir_option",
    "state_folder_options",
    "ws_url_option",
]

PROJECT = "qehost"
"""The group of the plugins' entry points; `hookspecs` would take long to import."""


def _or_default(_: click.Context, __: click.Parameter, file: Path | None) -> Path | None:
    return file or default_file()


config_option = click.option(
    "-c",
    "--config",
    "config_file",
    envvar="QEHOST_CONFIG",
    show_envvar=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_or_default,
    help="The settings' file, in place of qehost.toml here, in the user's folder for "
    "configurations, or in /etc/qehost.",
)


state_dir_option = click.option(
    "--state-dir", type=click.Path(file_okay=False), help="The state folder."
)
ws_url_option = click.option("--ws-url", metavar="URL", help="Where the stream is.")
rest_url_option = click.option("--rest-url", metavar="URL", help="Where REST is.")
insecure_option = click.option(
    "--insecure",
    is_flag=True,
    default=None,
    help="Send credentials over ws:// or http:// to another machine, too.",
)
protocol_option = click.option(
    "--protocol", type=click.Choice(["v2", "v1"]), help="The stream's version."
)


def describe_config(file: Path | None) -> str:
    """For the log: which file the settings come from."""
    return (
        f"settings from {file.absolute()}" if file else "no settings' file: defaults, environment"
    )


def _parse_faults(_: click.Context, __: click.Parameter, specs: tuple[str, ...]) -> list[Fault]:
    if not specs:
        return []
    # A run against a real venue does without the simulator.
    from qehost.simulator.faults import parse

    try:
        return [parse(spec) for spec in specs]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


fault_option = click.option(
    "--fault",
    "faults",
    callback=_parse_faults,
    multiple=True,
    metavar="NAME[=WHEN]",
    help="Such as drop=5s. Repeatable; `qehost simulate --help` lists them.",
)


def complete_plugin(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """For a shell: the installed plugins, or files where none begins so.  Not both: bash shows the
    files alone then."""
    from importlib.metadata import entry_points

    names = sorted({entry.name for entry in entry_points(group=PROJECT)})
    found = [CompletionItem(name) for name in names if name.startswith(begun)]
    return found or [CompletionItem(begun, type="file")]


specs_option = click.option(
    "-p",
    "specs",
    multiple=True,
    metavar="SPEC",
    shell_complete=complete_plugin,
    help="Add the plugin NAME, MODULE[:ATTR] or FILE.py[:ATTR]; no:NAME blocks one. Repeatable.",
)


def state_folder_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options that name the state folder; the command gets a `StateFolder`."""

    @config_option
    @state_dir_option
    @handle_errors
    @functools.wraps(function)
    def wrapped(config_file: Path | None, state_dir: str | None, **options: Any) -> None:
        # Where the folder is given, mistakes elsewhere in the settings don't matter here.
        matters = _may_be_state_dir if state_dir is None else _is_state_dir
        loaded = config.load(config_file, {"state_dir": state_dir}, matters=matters)
        function(used_folder(loaded), **options)

    return wrapped


def _is_state_dir(path: str) -> bool:
    return path == "state_dir"


def _may_be_state_dir(path: str) -> bool:
    """Whether a mistake in this setting may mean that another folder is the state folder.

    That is so for `state_dir`, for a file that can't be read (`""`), for `state_dir` in a section,
    and for a mistyped name of it.  Other mistakes don't matter: someone who looks at the status may
    not have the credentials, plugins and files that the run has.
    """
    name = path.rpartition(".")[2]
    return name in ("", "state_dir") or (name == path and bool(suggestion(name, ["state_dir"])))
