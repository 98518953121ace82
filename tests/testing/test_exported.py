"""What was received becomes what a test delivers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qehost.errors import Error
from qehost.storage.export.json_lines import write_jsonl
from qehost.testing import PluginHost, connected, events_from, fill, worked_master_order


def test_an_exported_file_has_the_events_as_they_were(tmp_path: Path) -> None:
    events: list[Any] = [connected(), *worked_master_order(), fill(quantity="1e-9")]
    with (tmp_path / "day.jsonl").open("wb") as file:
        write_jsonl(events, file)
    assert events_from(tmp_path / "day.jsonl") == events
    assert events_from(str(tmp_path / "day.jsonl")) == events


def test_they_reach_a_plugin_with_their_exact_figures(tmp_path: Path) -> None:
    class Plugin:
        def __init__(self) -> None:
            self.quantities: list[str] = []

        def on_fill(self, detail: Any) -> None:
            self.quantities.append(str(detail.quantity))

    with (tmp_path / "day.jsonl").open("wb") as file:
        write_jsonl([fill(quantity="0.10"), fill(quantity="2.50")], file)
    with PluginHost(Plugin) as host:
        host.deliver(*events_from(tmp_path / "day.jsonl"))
    assert isinstance(host.plugin, Plugin)
    assert host.plugin.quantities == ["0.10", "2.50"]


def test_a_line_that_is_no_event_is_told_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "day.jsonl"
    file.write_text("\n{}\n")
    with pytest.raises(Error, match=r"day\.jsonl, line 2: no event"):
        events_from(file)
    with pytest.raises(OSError, match="nowhere"):
        events_from(tmp_path / "nowhere")
