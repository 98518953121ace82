"""What `qehost check` looks at on this machine: settings, plugins, state folder, disk, journals."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qehost.cli.checks import CheckResult, failed, ok, warning
from qehost.cli.checks.needs import needs_checks
from qehost.cli.checks.settings import SettingsCheck
from qehost.cli.units import format_count, format_size
from qehost.errors import JournalError
from qehost.host.isolated_import import isolated_reports
from qehost.host.loading import PluginReport, report
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.journal.layout import Damage, span
from qehost.storage.journal.pruning import journal_bytes
from qehost.storage.journal.reader import JournalReader
from qehost.storage.state_folder import StateFolder

__all__ = ["machine_checks"]

MEGABYTE = 2**20
FULL, NEARLY_FULL = 100 * MEGABYTE, 1024 * MEGABYTE


def machine_checks(file: Path | None, found: SettingsCheck) -> Iterator[CheckResult]:
    """Each result as soon as it is known."""
    yield from _settings(file, found)
    yield from _plugins(found)
    yield from needs_checks(found)
    folder = StateFolder(found.loaded.settings.state_dir)
    yield from _state_folder(folder)
    yield _disk(folder)
    for account in found.loaded.settings.accounts:
        yield _journal(folder, account)
    yield from _dead_letters(folder)


def _settings(file: Path | None, found: SettingsCheck) -> Iterator[CheckResult]:
    for mistake in found.mistakes:
        yield failed("settings", mistake)
    for text in found.loaded.warnings:
        yield warning("settings", text)
    if not found.mistakes:
        where = str(file.absolute()) if file else "no file: the environment and the defaults"
        yield ok("settings", where)


def _plugins(found: SettingsCheck) -> Iterator[CheckResult]:
    loaded = iter(
        isolated_reports(
            [each for each in found.candidates if each.name not in found.unknown],
            keep_secrets=found.loaded.settings.host.keep_secrets,
        )
    )
    all_reports = [
        report(each, "failed", found.unknown[each.name])
        if each.name in found.unknown
        else next(loaded)
        for each in found.candidates
    ]
    for each in all_reports:
        yield _plugin(each, found)
    if not any(each.state == "loaded" for each in all_reports):
        yield warning(
            "plugins",
            "there is none, so nothing is done with what is received",
            "pip install qehost-console, or give a module with -p",
        )


def _plugin(report: PluginReport, found: SettingsCheck) -> CheckResult:
    subject = f"plugin {report.name}"
    match report.state:
        case "loaded":
            process = "" if report.process == "main" else f", in process {report.process}"
            if not report.hooks:
                return warning(
                    subject, f"{report.source}: it implements no hook, so it does nothing"
                )
            return ok(
                subject, f"{report.source}{process}: {format_count(len(report.hooks), 'hook')}"
            )
        case "failed" if report.name not in found.configs and report.name not in found.unknown:
            if report.why.startswith("its settings are wrong"):
                return failed(subject, "its settings are wrong: see above")
    if report.state == "failed":
        return failed(
            subject, f"{report.source}: {report.why}", "until then it is left out of a run"
        )
    return CheckResult(subject, "skipped", f"{report.state}: {report.why}")


def _state_folder(folder: StateFolder) -> Iterator[CheckResult]:
    subject, path = "state folder", folder.path
    existing = _nearest_existing(path)
    if not os.access(existing, os.W_OK | os.X_OK):
        why = (
            "can't be written"
            if existing == path
            else f"can't be made: {existing} can't be written"
        )
        yield failed(
            subject,
            f"{path} {why}",
            "give its user the right to, or name another with --state-dir or state_dir",
        )
        return
    if existing != path:
        yield ok(subject, f"{path} (made at the first run)")
        return
    if not os.path.isdir(path):
        yield failed(subject, f"{path} is a file", "name a folder with --state-dir or state_dir")
        return
    try:
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"qehost")
    except OSError as error:
        yield failed(subject, f"{path} can't be written: {error.strerror}")
        return
    holder = folder.holder()
    by = "" if holder is None else f", in use by the qehost with process id {holder or 'unknown'}"
    yield ok(subject, f"{path}{by}")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield warning(
            subject,
            f"others on this machine may look into it (mode {mode:04o})",
            f"chmod 700 {path}",
        )


def _disk(folder: StateFolder) -> CheckResult:
    free = shutil.disk_usage(_nearest_existing(folder.path)).free
    text = f"{format_size(free)} free"
    if free < FULL:
        return failed("disk", text, "make room: what can't be journalled is lost in a crash")
    if free < NEARLY_FULL:
        return warning("disk", text, "make room, or keep less: journal.keep, journal.keep_bytes")
    return ok("disk", text)


def _journal(folder: StateFolder, account: str) -> CheckResult:
    subject, path = f"journal {account}", folder.journal(account)
    try:
        with JournalReader(path) as journal:
            newest = next(journal.read(newest_first=True), None)
            last, size = journal.last_seq(), journal_bytes(path)
    except JournalError as error:
        return failed(subject, str(error), "does another user own its files?")
    if isinstance(newest, Damage):
        return failed(
            subject,
            f"{span(newest.first_seq, newest.last_seq)} can't be read: {newest.error}",
            "what can be read is delivered; a new run goes on in a new file",
        )
    if not last:
        return ok(subject, "empty: nothing was received yet")
    return ok(subject, f"events up to {last:,}, {format_size(size)}")


def _dead_letters(folder: StateFolder) -> Iterator[CheckResult]:
    try:
        if not folder.has_dead_letters():
            return
        with DeadLetters(folder.dead_letters_file) as letters:
            counts = letters.counts()
    except JournalError as error:
        yield failed("dead letters", str(error))
        return
    for plugin, count in counts.items():
        yield warning(
            "dead letters",
            f"plugin {plugin} could not take {count:,}",
            f"qehost journal dead-letters --plugin {plugin}",
        )


def _nearest_existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists and that this user may see."""
    return next(each for each in (path, *path.parents) if os.path.exists(each))
