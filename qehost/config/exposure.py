"""What other users could read or change: files of settings and secrets."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["file_exposure"]

MOUNTED = Path("/run/secrets")
"""Where containers get their secrets; nobody else is in there."""
READ, WRITE = 4, 2


def file_exposure(file: Path, *, holds_secrets: bool) -> list[str]:
    """Who else can change the file, or read it where it holds secrets, in words."""
    try:
        found = file.stat()
    except OSError:
        return []  # told where it is read
    if MOUNTED in file.resolve().parents:
        return []
    own_group = found.st_gid in (os.getegid(), *os.getgroups())
    others = found.st_mode & 7 | (0 if own_group else found.st_mode >> 3 & 7)
    texts = []
    if others & WRITE:
        texts.append(f"other users can change {file}: chmod go-w {file}")
    if others & READ and holds_secrets:
        texts.append(f"other users can read {file}, which holds a secret: chmod go-r {file}")
    # What belongs to root is no reason: it can change anything.
    if found.st_uid not in (0, os.geteuid()):
        texts.append(f"{file} belongs to another user (id {found.st_uid}), who can change it")
    return texts
