"""`@qehost.plugin_command(NAME)`, `@qehost.plugin_folder(NAME)`: what a plugin's own command works
with."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from qehost import config
from qehost.cli.elapsed import elapsed
from qehost.cli.failure import handle_errors
from qehost.cli.options import config_option, state_dir_option, state_folder_options
from qehost.cli.simulated_state import used_folder
from qehost.config.suggest import canonical
from qehost.errors import UnknownPlugin
from qehost.hookspecs import Context
from qehost.host.api_clients import ApiClients
from qehost.host.discovery import find
from qehost.host.loading import Plugins, config_class, configured
from qehost.host.plugin_journals import AccountJournals, PluginJournals
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import read_status

__all__ = ["plugin_command", "plugin_folder"]

P = ParamSpec("P")


def plugin_command(
    plugin: str,
) -> Callable[[Callable[Concatenate[Context, P], None]], Callable[..., None]]:
    """For a click command of a plugin: it gets a `Context` as its first argument.

    The options `--config` and `--state-dir` are added, as all commands of qehost have them.  The
    context has the plugin's settings, its own state folder, and the accounts' REST clients, whether
    or not `qehost run` is running; `stop` and `problem` do nothing.  An error of `qehost.errors`
    that the command raises ends the program with its text and the documented exit code.

    ::

        @click.command()
        @qehost.plugin_command("store")
        def check(context: qehost.Context) -> None:
            ...
    """

    def decorate(function: Callable[Concatenate[Context, P], None]) -> Callable[..., None]:
        @config_option
        @state_dir_option
        @handle_errors
        @functools.wraps(function)
        def command(
            config_file: Path | None, state_dir: str | None, *args: P.args, **kwargs: P.kwargs
        ) -> None:
            with ExitStack() as stack, elapsed():
                function(_context(plugin, config_file, state_dir, stack), *args, **kwargs)

        return command

    return decorate


def plugin_folder(
    plugin: str,
) -> Callable[[Callable[Concatenate[Path, P], None]], Callable[..., None]]:
    """For a command of a plugin that must work whatever else is wrong, such as a kill switch.

    Its first argument is the plugin's own state folder, which may not exist.  Of the settings it
    needs `state_dir` alone: a missing credential or secret, or a mistake elsewhere, is none here.
    Otherwise as `plugin_command`.
    """

    def decorate(function: Callable[Concatenate[Path, P], None]) -> Callable[..., None]:
        @state_folder_options
        @functools.wraps(function)
        def command(folder: StateFolder, *args: P.args, **kwargs: P.kwargs) -> None:
            function(folder.plugin(canonical(plugin)), *args, **kwargs)

        return command

    return decorate


def _context(plugin: str, file: Path | None, state_dir: str | None, stack: ExitStack) -> Context:
    """Raises `ConfigError`, and `PluginError` where it can't be used."""
    # Credentials that only the service can read are missed where a command asks the venue.
    loaded = config.load(file, {"state_dir": state_dir}, matters=config.all_but_accounts)
    settings = loaded.settings
    candidate = next((each for each in find((), settings.plugins) if each.is_called(plugin)), None)
    if candidate is None:
        raise UnknownPlugin(plugin, "no plugin of this name is installed")
    own: Any = configured(candidate, config_class(candidate))
    accounts = list(settings.accounts)
    folder = used_folder(loaded)
    apis = ApiClients(settings.accounts)
    journals = AccountJournals(folder, accounts)
    stack.callback(apis.close)
    stack.callback(journals.close)
    # A command has had nothing, and may ask for everything.
    of_plugin = PluginJournals(journals, journals.last_seq)
    plugins = Plugins(
        (), {candidate.name: own}, {}, folders={candidate.name: candidate.settings.folder}
    )
    contexts = plugins.contexts(
        accounts,
        folder.path,
        lambda _: None,
        apis,
        lambda _: of_plugin,
        status=partial(read_status, folder.status_file),
    )
    return contexts[candidate.name]
