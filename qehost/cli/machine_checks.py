"""What `qehost check` looks at on this machine: settings, plugins, state folder, disk, journals."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qehost.cli.examination import Examination
from qehost.cli.finding import Finding, counted, failed, ok, warning
from qehost.errors import JournalError
from qehost.host.dead_letters import DeadLetters
from qehost.host.loading import Report, report
from qehost.host.trial import reports
from qehost.journal.layout import Damage, span
from qehost.journal.pruning import journal_bytes
from qehost.journal.reader import JournalReader
from qehost.state import StateFolder

__all__ = ["machine_checks"]

MEGABYTE = 2**20
FULL, NEARLY_FULL = 100 * MEGABYTE, 1024 * MEGABYTE


def machine_checks(file: Path | None, found: Examination) -> Iterator[Finding]:
    """Each as soon as it is known."""
    yield from _settings(file, found)
    yield from _plugins(found)
    folder = StateFolder(found.loaded.settings.state_dir)
    yield from _state_folder(folder)
    yield _disk(folder)
    for account in found.loaded.settings.accounts:
        yield _journal(folder, account)
    yield from _dead_letters(folder)


def _settings(file: Path | None, found: Examination) -> Iterator[Finding]:
    for mistake in found.mistakes:
        yield failed("settings", mistake)
    for text in found.loaded.warnings:
        yield warning("settings", text)
    if not found.mistakes:
        where = str(file.absolute()) if file else "no file: the environment and the defaults"
        yield ok("settings", where)


def _plugins(found: Examination) -> Iterator[Finding]:
    tried = iter(reports([each for each in found.candidates if each.name not in found.unknown]))
    looked_at = [
        report(each, "failed", found.unknown[each.name])
        if each.name in found.unknown
        else next(tried)
        for each in found.candidates
    ]
    for each in looked_at:
        yield _plugin(each, found)
    if not any(each.state == "loaded" for each in looked_at):
        yield warning(
            "plugins",
            "there is none, so nobody gets what is received",
            "pip install qehost-console, or give a module with -p",
        )


def _plugin(report: Report, found: Examination) -> Finding:
    subject = f"plugin {report.name}"
    source = f"{report.distribution} {report.version}".strip() or f"-p {report.module}"
    match report.state:
        case "loaded":
            process = "" if report.process == "main" else f", in process {report.process}"
            if not report.hooks:
                return warning(subject, f"{source}: it implements no hook, so it does nothing")
            return ok(subject, f"{source}{process}: {counted(len(report.hooks), 'hook')}")
        case "failed" if report.name not in found.configs and report.name not in found.unknown:
            if report.why.startswith("its settings are wrong"):
                return failed(subject, "its settings are wrong: see above")
    if report.state == "failed":
        return failed(subject, f"{source}: {report.why}", "until then it is left out of a run")
    return Finding(subject, "skipped", f"{report.state}: {report.why}")


def _state_folder(folder: StateFolder) -> Iterator[Finding]:
    subject, path = "state folder", folder.path
    there = _nearest(path)
    if not os.access(there, os.W_OK | os.X_OK):
        why = "can't be written" if there == path else f"can't be made: {there} can't be written"
        yield failed(
            subject,
            f"{path} {why}",
            "give its user the right to, or name another with --state-dir or state_dir",
        )
        return
    if there != path:
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


def _disk(folder: StateFolder) -> Finding:
    free = shutil.disk_usage(_nearest(folder.path)).free
    text = f"{_size(free)} free"
    if free < FULL:
        return failed("disk", text, "make room: what can't be journalled is lost in a crash")
    if free < NEARLY_FULL:
        return warning("disk", text, "make room, or keep less: journal.keep, journal.keep_bytes")
    return ok("disk", text)


def _journal(folder: StateFolder, account: str) -> Finding:
    subject, path = f"journal {account}", folder.journal(account)
    try:
        with JournalReader(path) as journal:
            newest = next(journal.scan(newest_first=True), None)
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
    return ok(subject, f"events up to {last:,}, {_size(size)}")


def _dead_letters(folder: StateFolder) -> Iterator[Finding]:
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


def _nearest(path: Path) -> Path:
    """The path itself, or the folder above it that exists, as far as this user may see."""
    return next(each for each in (path, *path.parents) if os.path.exists(each))


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit in ("B", "KB") else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"
