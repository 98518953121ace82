"""The examples in the documentation run as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from script import Script, wait_for

from qehost.simulator import Venue

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def market() -> Iterator[Venue]:
    with Venue(seed=1, rate=200) as venue:
        yield venue


def run(name: str, market: Venue, folder: Path, *arguments: str) -> Script:
    env = {
        "API_KEY": market.api_key,
        "API_SECRET": market.api_secret,
        "WS_URL": market.ws_url,
        "REST_URL": market.rest_url,
    }
    return Script(str(EXAMPLES / name), *arguments, folder=folder, env=env)


def test_the_quick_start(tmp_path, market):
    with run("quick_start.py", market, tmp_path) as script:
        for text in ("the stream is open", "master order", "order ", "fill: "):
            script.wait_for(text)
        script.ctrl_c()
        assert script.wait() == 0, script.story()
        script.leaves_nothing()
        script.wait_for("the stream has ended")
        assert "Traceback" not in script.story()


def test_the_advanced_example(tmp_path, market):
    with run("advanced.py", market, tmp_path) as script:
        script.wait_for("the stream is open")
        script.wait_for("master order")
        (connection,) = market.wait_connected()
        market.drop("close")
        wait_for(lambda: market.connections and market.connections[0] is not connection)
        script.wait_for("the stream is open", count=2)
        script.wait_for(" fills")
        script.ctrl_c()
        assert script.wait() == 0, script.story()
        script.leaves_nothing()
        script.wait_for("in the end")
        story = script.story()
        assert "2 connections" in story
        assert " fills" in story
        assert "Traceback" not in story


def test_the_asyncio_example(tmp_path, market):
    with run("async_events.py", market, tmp_path) as script:
        assert script.wait() == 0, script.story()
        script.leaves_nothing()
        lines = [line for line in script.out if line.startswith(("buy ", "sell "))]
        assert len(lines) == 10


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.name)
def test_the_documentation_shows_every_example(file):
    assert f"examples/{file.name}" in (EXAMPLES.parent / "api.md").read_text(encoding="utf-8")
