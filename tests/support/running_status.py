"""The status of a qehost that runs, and `qehost status`."""

from __future__ import annotations

import os
import time
from pathlib import Path

from click.testing import CliRunner, Result
from msgspec.structs import replace

from qehost.cli import main
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import (
    CallStatus,
    ConnectionState,
    CursorState,
    HostState,
    PluginState,
    Status,
    write_status,
)


def write(
    folder: Path,
    *,
    pid: int = 0,
    age: float = 0.0,
    ended: str = "",
    protected: bool = False,
    busy: bool = True,
    down_for: float = 0.0,
    plugin_behind: tuple[int, float] = (0, 0.0),
) -> None:
    now = time.time() - age
    connection = ConnectionState(
        account="main",
        pid=11,
        state="connecting" if down_for else "connected",
        down_since=now - down_for if down_for else 0.0,
        since=now - 600,
        restarts=0,
        reconnects=3,
        last_message=now - 1,
        last_pong=0.0,
        last_seq=1_234,
        protected=protected,
        journal_bytes=5 << 20,
    )
    plugin = PluginState("sluggish", True, 10, 1, 1.0, 8e-6, 0.2, 2.0, 7)
    if any(plugin_behind):
        plugin = replace(plugin, cursors=[CursorState("main", 734, *plugin_behind)])
    host = HostState(
        name="main",
        pid=12,
        ready=True,
        restarts=1,
        cursors=[CursorState("main", 1_000, 234, 61.0)],
        call=CallStatus("sluggish", "on_order", "main", 1_001, 12.0) if busy else None,
        plugins=[plugin],
    )
    write_status(
        StateFolder(folder).status_file,
        Status("0.1", pid or os.getpid(), now - 3_700, now, ended, [connection], [host]),
    )


def status(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["status", "--state-dir", str(folder), *options])
