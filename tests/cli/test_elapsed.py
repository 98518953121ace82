"""What takes long shows on a terminal that it is alive."""

from __future__ import annotations

import re
from pathlib import Path

from terminal import written


def test_a_command_that_takes_longer_than_two_seconds_says_for_how_long(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(4)\ndef on_fill(message): ...\n")
    text = written(80, ["plugins", "-p", "slow.py"], tmp_path)
    assert re.search(r"\r\x1b\[K… \d+ s\r", text)
    # The table comes in its place.
    assert re.search(r"s\r(\x1b\[K)?(\x1b\[1m)?Plugin", text)
