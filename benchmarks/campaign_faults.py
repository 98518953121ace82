"""The faults of the campaign: each one strikes a `qehost run` that works, and is over when its
function returns.  What it leaves behind is qehost's to deal with."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from running import Run
from small_disk import fill

from qehost.simulator import Venue

__all__ = ["KILLS", "OTHERS", "Fault", "Victim", "loop_disk"]

HOSTS = ("host main", "host side")
CHILDREN = (*HOSTS, "connection main")


class Victim(Protocol):
    """What a fault strikes."""

    run: Run
    venue: Venue
    rng: random.Random
    disk: Path | None
    """A file system of its own, which may be filled and made immutable; None: there is none."""

    def restart(self) -> None:
        """End what is left of the run and start it anew, as a service manager would."""


Fault = Callable[[Victim], None]


def _signal(victim: Victim, number: int, *names: str) -> None:
    """Send it to these processes, as far as they are there."""
    pids = victim.run.pids()
    for name in names:
        with contextlib.suppress(ProcessLookupError):
            if name in pids:
                os.kill(pids[name], number)


# --- kills --------------------------------------------------------------------------------------


def kill(*names: str) -> Fault:
    def strike(victim: Victim) -> None:
        _signal(victim, signal.SIGKILL, *names)

    return strike


def kill_supervisor(victim: Victim) -> None:
    victim.run.process.kill()
    victim.restart()


def kill_all(victim: Victim) -> None:
    victim.run.kill()
    victim.restart()


def kill_in_start(victim: Victim) -> None:
    """A new process, just as it starts: twice in a row."""
    _signal(victim, signal.SIGKILL, *CHILDREN)
    time.sleep(victim.rng.uniform(0.1, 0.5))
    _signal(victim, signal.SIGKILL, victim.rng.choice(CHILDREN))


def kill_in_reload(victim: Victim) -> None:
    victim.run.process.send_signal(signal.SIGHUP)
    time.sleep(victim.rng.uniform(0.0, 1.0))
    _signal(victim, signal.SIGKILL, victim.rng.choice(CHILDREN))


def kill_in_drain(victim: Victim) -> None:
    victim.run.process.send_signal(signal.SIGTERM)
    time.sleep(victim.rng.uniform(0.0, 0.3))
    _signal(victim, signal.SIGKILL, victim.rng.choice(CHILDREN))
    victim.restart()


KILLS: dict[str, Fault] = {
    "kill host": kill("host main"),
    "kill other host": kill("host side"),
    "kill connection": kill("connection main"),
    "kill host and connection": kill("host main", "connection main"),
    "kill both hosts": kill(*HOSTS),
    "kill supervisor": kill_supervisor,
    "kill all": kill_all,
    "kill in start": kill_in_start,
    "kill in reload": kill_in_reload,
    "kill in drain": kill_in_drain,
}


# --- processes that stand still, and what they may open ------------------------------------------


def _target(victim: Victim, name: str) -> int | None:
    return victim.run.process.pid if name == "supervisor" else victim.run.pids().get(name)


def stop(name: str) -> Fault:
    def strike(victim: Victim) -> None:
        pid = _target(victim, name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(victim.rng.uniform(0.2, 2.0))
                os.kill(pid, signal.SIGCONT)

    return strike


def no_descriptors(name: str) -> Fault:
    """The process may open no further file for a while."""

    def strike(victim: Victim) -> None:
        pid = _target(victim, name)
        if pid is None:
            return
        with contextlib.suppress(OSError):
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            used = len(os.listdir(f"/proc/{pid}/fd"))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
            time.sleep(victim.rng.uniform(0.3, 2.0))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    return strike


# --- the disk -------------------------------------------------------------------------------------


@contextmanager
def loop_disk(folder: Path, size: int) -> Iterator[Path | None]:
    """An ext4 file system of so many bytes; None where that is not possible."""
    image, disk = folder / "image", folder / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    steps = (["mkfs.ext4", "-q", str(image)], ["mount", "-o", "loop", str(image), str(disk)])
    try:
        made = all(subprocess.run(step, capture_output=True).returncode == 0 for step in steps)
    except FileNotFoundError:
        made = False
    try:
        yield disk if made else None
    finally:
        if made:
            subprocess.run(["umount", "-l", str(disk)], check=True)


def full_disk(victim: Victim) -> None:
    assert victim.disk is not None
    ballast = victim.disk / "room"
    free = os.statvfs(victim.disk)
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_bsize)
    rest = fill(victim.disk)
    time.sleep(victim.rng.uniform(0.5, 3.0))
    ballast.unlink()
    rest.unlink()


def read_only(victim: Victim) -> None:
    """Every file refuses to be changed, also those that are open."""
    subprocess.run(["sync", "-f", str(victim.run.state)], check=False)
    change = ["chattr", "-f", "-R"]
    subprocess.run([*change, "+i", str(victim.run.state)], check=False)
    time.sleep(victim.rng.uniform(0.5, 3.0))
    while subprocess.run([*change, "-i", str(victim.run.state)], check=False).returncode:
        time.sleep(0.1)


def _one_of(victim: Victim, pattern: str) -> Path | None:
    found = sorted(victim.run.state.glob(pattern))
    return found[-1] if found else None


def flip(pattern: str) -> Fault:
    """One bit of the newest such file."""

    def strike(victim: Victim) -> None:
        path = _one_of(victim, pattern)
        with contextlib.suppress(OSError, ValueError):
            if path is not None:
                with path.open("r+b") as file:
                    size = min(path.stat().st_size, 1 << 20)
                    place = victim.rng.randrange(size)
                    file.seek(place)
                    byte = file.read(1)[0]
                    file.seek(place)
                    file.write(bytes([byte ^ 1 << victim.rng.randrange(8)]))

    return strike


def delete(pattern: str) -> Fault:
    def strike(victim: Victim) -> None:
        path = _one_of(victim, pattern)
        with contextlib.suppress(OSError):
            if path is not None:
                path.unlink()

    return strike


# --- what else there is -----------------------------------------------------------------------


def step_clock(seconds: int) -> Fault:
    def strike(victim: Victim) -> None:
        file = victim.run.folder / "offset"
        file.write_text(str(int(file.read_text() or 0) + seconds))

    return strike


def silent_stderr(victim: Victim) -> None:
    """Nobody reads it while much is written to it."""
    victim.run.reading.clear()
    (victim.run.folder / "shout").touch()
    time.sleep(victim.rng.uniform(0.5, 2.0))
    victim.run.reading.set()


def told_by_file(name: str, text: str = "") -> Fault:
    """The plugin misbehaves for a while."""

    def strike(victim: Victim) -> None:
        file = victim.run.folder / name
        file.write_text(text)
        if name == "handler":
            (victim.run.folder / "shout").touch()
        time.sleep(victim.rng.uniform(0.5, 2.0))
        file.unlink()

    return strike


def reload(victim: Victim) -> None:
    for _ in range(victim.rng.choice((1, 1, 2))):
        victim.run.process.send_signal(signal.SIGHUP)
        time.sleep(victim.rng.uniform(0.0, 0.5))


def reload_broken(victim: Victim) -> None:
    """The new version of a plugin can't be imported: the old one goes on."""
    file = victim.run.folder / "second.py"
    source = file.read_text()
    file.write_text("raise RuntimeError('half an upload')\n")
    victim.run.process.send_signal(signal.SIGHUP)
    time.sleep(victim.rng.uniform(0.5, 2.0))
    # In one step: a process that starts just now must find one or the other.
    whole = file.with_suffix(".new")
    whole.write_text(source)
    whole.rename(file)
    victim.run.process.send_signal(signal.SIGHUP)


def break_stream(victim: Victim) -> None:
    faults = ("drop", "end", "reset", "torn", "reserved", "invalid-utf8", "fragmented")
    victim.venue.inject(victim.rng.choice(faults))


OTHERS: dict[str, Fault] = {
    "stop host": stop("host main"),
    "stop connection": stop("connection main"),
    "stop supervisor": stop("supervisor"),
    "no descriptors: host": no_descriptors("host main"),
    "no descriptors: connection": no_descriptors("connection main"),
    "no descriptors: supervisor": no_descriptors("supervisor"),
    "disk full": full_disk,
    "disk read-only": read_only,
    "flip in marks": flip("hosts/*/marks"),
    "flip in journal": flip("accounts/main/journal/*.events"),
    "flip in status": flip("status.json"),
    "flip in dead letters": flip("dead-letters.db"),
    "delete marks": delete("hosts/*/marks"),
    "delete journal file": delete("accounts/main/journal/*.events"),
    "delete last-seq": delete("accounts/main/journal/last-seq"),
    "delete dead letters": delete("dead-letters.db"),
    "delete lock": delete("lock"),
    "delete status": delete("status.json"),
    "clock forward": step_clock(3_600),
    "clock back": step_clock(-3_600),
    "silent stderr": silent_stderr,
    "raising handler": told_by_file("handler"),
    "slow plugin": told_by_file("slow", "0.02"),
    "waiting plugins": told_by_file("down"),
    "flip in a wait": flip("waiting/*"),
    "delete a wait": delete("waiting/*"),
    "reload": reload,
    "reload, broken": reload_broken,
    "stream": break_stream,
}
