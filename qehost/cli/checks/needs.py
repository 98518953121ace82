"""What plugins need that only they know: a database that answers, a folder that can be written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from qehost.cli.checks import CheckResult, failed, ok
from qehost.cli.checks.settings import SettingsCheck
from qehost.errors import Error, PluginError
from qehost.host.discovery import Candidate
from qehost.host.isolated_import import run_isolated
from qehost.host.loading import Plugins, config_class, configured
from qehost.host.plugin_code import describe_error
from qehost.secret import redact
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import read_status

__all__ = ["needs_checks"]


def needs_checks(found: SettingsCheck) -> Iterator[CheckResult]:
    """A line for each plugin whose `Config` has a `check`, called in a process of its own."""
    settings = found.loaded.settings
    candidates = [each for each in found.candidates if each.name in found.configs]
    ask = partial(_asked, accounts=tuple(settings.accounts), state_dir=settings.state_dir)
    results = run_isolated(ask, candidates, keep_secrets=settings.host.keep_secrets)
    for candidate, result in zip(candidates, results, strict=True):
        subject = f"plugin {candidate.name}"
        if isinstance(result, PluginError):
            yield failed(subject, f"what it needs could not be tried: {result.text}")
        elif result is not None:
            text, is_there = result
            yield ok(subject, text) if is_there else failed(subject, text)


def _asked(
    candidate: Candidate, accounts: tuple[str, ...], state_dir: str
) -> tuple[str, bool] | None:
    """In the process that imports the plugin: what it found, and whether that is what it needs."""
    # Whatever the plugin's code raises is what it says is missing; sys.exit() is no `Exception`.
    try:
        kind = config_class(candidate)
        check: Any = getattr(kind, "check", None)
        if check is None:
            return None
        own = configured(candidate, kind)
        folders = {candidate.name: candidate.settings.folder}
        plugins = Plugins((), {candidate.name: own}, {}, folders=folders)
        status = partial(read_status, StateFolder(state_dir).status_file)
        contexts = plugins.contexts(accounts, Path(state_dir), lambda _: None, status=status)
        return redact(str(check(own, contexts[candidate.name]))), True
    except (Error, OSError) as error:
        return redact(str(error)), False
    except BaseException as error:  # noqa: BLE001
        return describe_error(error), False
