"""What pytest loads, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qehost import testing
from qehost.testing import (
    Recorder,
    StartPlugin,
    fill,
)

# --- the pytest plugin ----------------------------------------------------------------------------


def test_the_fixtures_start_and_stop_a_plugin(plugin_host: StartPlugin, recorder: Recorder) -> None:
    host = plugin_host(recorder)
    host.deliver(fill())
    assert recorder.hooks == ["on_start", "on_fill", "on_batch"]


def test_pytest_loads_the_fixtures_and_nothing_else_of_ours(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        "import sys\n"
        "def test_one():\n"
        "    ours = {n for n in sys.modules if n.partition('.')[0] in ('qehost', 'msgspec')}\n"
        "    assert ours <= {'qehost', 'qehost.testing', 'qehost.testing.fixtures'}, ours\n"
        "def test_two(plugin_host, recorder):\n"
        "    plugin_host(recorder)\n"
        "    assert recorder.hooks == ['on_start']\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_but_the_fixtures_works_without_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import qehost.testing as t\n"
        "for name in t.__all__: getattr(t, name)\n"
        "with t.PluginHost(t.Recorder) as host: host.deliver(*t.worked_master_order())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fil'"):
        getattr(testing, "fil")  # noqa: B009
