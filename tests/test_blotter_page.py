"""What docs/blotter.md says is so: its example runs, and the names in it are there."""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from qehost.blotter import Blotter, ChangeKind, ChildState, Fill, Link, MasterState
from qehost.testing import Events, PluginHost

PAGE = (Path(__file__).parents[1] / "docs" / "blotter.md").read_text(encoding="utf-8")
START = 1_767_323_045_000


@pytest.fixture
def example() -> Any:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    module = types.ModuleType("behind")
    exec(compile(code, "behind.py", "exec"), module.__dict__)
    return module.Plugin


def test_the_example_warns_once_and_says_how_an_order_ended(
    example: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    events = Events(start_ms=START)
    with PluginHost(example) as host:
        host.deliver(events.master_order(duration_secs=60, total_quantity="10", cum_filled_qty="1"))
        for seconds in (6, 30, 40):
            host.tick(START / 1000 + seconds)
        host.deliver(events.master_order(status="COMPLETED", total_quantity="10"))
    assert [record.getMessage() for record in caplog.records if "mo-1" in record.getMessage()] == [
        "mo-1 is at 10%, its schedule at 50%",
        "mo-1 COMPLETED: 10 at 97000.1",
    ]


def test_the_example_knows_after_a_restart_what_it_knew(example: Any, tmp_path: Path) -> None:
    events = Events()
    with PluginHost(example, name="behind", state_dir=tmp_path) as host:
        host.deliver(events.master_order())
    with PluginHost(example, name="behind", state_dir=tmp_path) as host:
        assert [master.id for master in host.plugin.blotter.masters(open=True)] == ["mo-1"]


def test_the_example_reads_what_came_since_its_dump(example: Any, tmp_path: Path) -> None:
    events = Events()
    told = [events.master_order(), events.master_order(master_order_id="mo-2")]
    with PluginHost(example, name="behind", state_dir=tmp_path, history=told[:1]):
        pass
    with PluginHost(example, name="behind", state_dir=tmp_path, history=told) as host:
        open_ones = [master.id for master in host.plugin.blotter.masters(open=True)]
        assert open_ones == ["mo-1", "mo-2"]
        assert host.plugin.blotter.seq == {"main": 2}


def test_a_damaged_file_is_a_warning(
    example: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with PluginHost(example, name="behind", state_dir=tmp_path):
        pass
    (file,) = tmp_path.rglob("blotter")
    file.write_bytes(b"no dump")
    with PluginHost(example, name="behind", state_dir=tmp_path):
        pass
    assert "no dump of a Blotter" in caplog.text


@pytest.mark.parametrize("view", [MasterState, ChildState, Fill, Link])
def test_every_field_is_named(view: type[msgspec.Struct]) -> None:
    assert [name for name in view.__struct_fields__ if f"`{name}`" not in PAGE] == []


def test_every_kind_of_change_and_everything_public_is_named() -> None:
    kinds = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| .*", PAGE, re.MULTILINE)
    named = {name for kind in kinds for name in re.findall(r"`(\w+)`", kind)}
    assert set(get_args(ChangeKind)) <= named
    public = {name for name in dir(Blotter) if not name.startswith("_")}
    assert [name for name in public if not re.search(rf"`{name}[`(]|\b{name}\(", PAGE)] == []
