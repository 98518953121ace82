"""To replace plugins under a running qehost: the command, and a plugin that has versions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from running import QEHOST, Run
from waiting import PATIENCE

__all__ = ["FRESH", "reload", "witness", "words"]

# A source that changes twice in a second, to the same size, would be read from its old bytecode.
FRESH = {"PYTHONDONTWRITEBYTECODE": "1"}

WITNESS = '''
import json, os, sys, time
import msgspec

VERSION = {version}

class Config(msgspec.Struct):
    word: str = "none"

class Witness:
    """Writes down who it is and what it gets, in NAME.words."""
    Config = Config

    def __init__(self, config):
        self.word = config.word
        self.file = open(__name__ + ".words", "a")

    def note(self, hook, **fields):
        line = dict(hook=hook, version=VERSION, word=self.word, pid=os.getpid(), **fields)
        print(json.dumps(line), file=self.file, flush=True)

    def on_start(self):
        self.note("on_start")
        {on_start}

    def on_stop(self, reason):
        self.note("on_stop", reason=reason)
        {on_stop}

    def on_status(self, event):
        self.note("on_status", seq=event.seq, redelivered=event.redelivered)
        {on_status}

{at_import}
'''


def witness(version: int = 1, *, at_import: str = "", **hooks: str) -> str:
    """The source of a plugin, given as MODULE:Witness.  `hooks` are statements for their ends."""
    source = WITNESS.replace("{version}", str(version)).replace("{at_import}", at_import)
    for hook in ("on_start", "on_stop", "on_status"):
        source = source.replace(f"{{{hook}}}", hooks.get(hook, "pass"))
    return source


def words(folder: Path, name: str, hook: str = "") -> list[dict[str, Any]]:
    """What the witness of this module has written."""
    try:
        lines = (folder / f"{name}.words").read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    found = [json.loads(line) for line in lines if line.endswith("\n")]
    return [each for each in found if not hook or each["hook"] == hook]


def reload(run: Run) -> subprocess.CompletedProcess[str]:
    """`qehost reload`"""
    return subprocess.run(
        [*QEHOST, "reload", "--state-dir", str(run.state)],
        capture_output=True,
        text=True,
        cwd=run.folder,
        timeout=2 * PATIENCE,
        check=False,
    )
