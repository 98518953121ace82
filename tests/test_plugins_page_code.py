"""The code in docs/plugins.md that is no file of the tutorial and no signature: it does what the
page says."""

from __future__ import annotations

import ast
import os
import re
import sqlite3
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

import qehost
from qehost import messages, testing
from qehost.errors import RestError
from qehost.host.arguments import HOOKS
from qehost.messages import AnyEvent
from qehost.testing import Events, PluginHost, StartPlugin, Venue

PAGE = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")
NAMES: dict[str, Any] = {
    **{name: getattr(messages, name) for name in messages.__all__},
    "Sequence": Sequence,
    "RestError": RestError,
    "click": click,
    "qehost": qehost,
}
"""What a file would import that has such code in it."""

CODE = [
    textwrap.dedent(code)
    for code in re.findall(r"^ *```python\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
]


def code_with(text: str) -> str:
    """The block that has this text in it."""
    (found,) = [code for code in CODE if text in code]
    return found


def run(text: str, **names: Any) -> dict[str, Any]:
    scope = {**NAMES, **names}
    exec(compile(code_with(text), "plugins.md", "exec"), scope)
    return scope


def plugin_with(scope: dict[str, Any], **attributes: object) -> Any:
    """A plugin that has the functions of the code as its hooks."""
    hooks = {name: scope[name] for name in HOOKS if name in scope}
    return type("Plugin", (), {**hooks, **attributes})


def test_what_was_perhaps_sent_is_not_sent_again_and_what_was_not_is_tried_again() -> None:
    sent: list[AnyEvent] = []
    down = True

    def send(self: object, event: AnyEvent) -> None:
        if down:
            raise ConnectionError("no route")
        sent.append(event)

    plugin = plugin_with(run("perhaps it was sent"), send=send)
    with PluginHost(plugin) as host:
        host.deliver(testing.fill(redelivered=True))
        assert not host.waiting
        host.deliver(testing.fill())
        assert host.waiting
        down = False
        host.retry()
        assert not host.waiting
    assert [event.attempt for event in sent] == [2]


def test_what_fails_for_another_reason_than_the_event_waits() -> None:
    rows: list[AnyEvent] = []
    locked = True

    def insert(self: object, event: AnyEvent) -> None:
        if locked:
            raise sqlite3.OperationalError("locked")
        rows.append(event)

    scope = run("except OperationalError", OperationalError=sqlite3.OperationalError)
    with PluginHost(plugin_with(scope, insert=insert)) as host:
        host.deliver(testing.fill())
        assert host.waiting
        locked = False
        host.retry()
    assert len(rows) == 1


def test_an_async_plugin_has_its_pool_from_start_to_stop() -> None:
    said: list[str] = []

    class Pool:
        async def execute(self, statement: str) -> None:
            said.append(statement)

        async def close(self) -> None:
            said.append("closed")

    async def create_pool(url: str) -> Pool:
        return Pool()

    scope = run("asyncpg", asyncpg=SimpleNamespace(create_pool=create_pool))
    sink = type("WithUrl", (scope["Sink"],), {"url": "postgres://"})
    with PluginHost(sink) as host:
        host.deliver(testing.fill())
    assert [text.partition(" ")[0] for text in said] == ["insert", "closed"]


def test_the_history_is_what_came_before() -> None:
    seen: list[AnyEvent] = []
    plugin = plugin_with(
        run('context.history("main"):'), apply=lambda self, event: seen.append(event)
    )
    events = Events()
    before = [events.order(), events.fill()]
    with PluginHost(plugin, history=before):
        pass
    assert seen == before


def test_the_status_says_which_accounts_are_not_connected() -> None:
    since = time.time() - 9
    states = {"main": "waiting", "hedge": "connected"}
    connections = [
        qehost.ConnectionState(name, 7, state, since, 0, 0, 0.0, 0.0, 0, True, 0)
        for name, state in states.items()
    ]
    with PluginHost(type("Plugin", (), {"on_tick": lambda self: None})) as host:
        assert "down" not in run("context.status()", context=host.context)
        host.status = qehost.Status("1", 6, since, time.time(), "", connections, hosts=[])
        assert run("context.status()", context=host.context)["down"] == ["main"]


@pytest.fixture
def at_work(venue: Venue) -> str:
    """A master order that can be paused."""
    return next(
        update.subject.master_order_id
        for update in venue.step(100)
        if update.subject.status == "PROCESSING"
    )


def test_what_is_too_expensive_is_paused(
    plugin_host: StartPlugin, venue: Venue, at_work: str
) -> None:
    names: dict[str, Any] = {"too_expensive": lambda message: True}
    scope = run("too_expensive", **names)
    hook: Callable[..., None] = scope["on_master_order"]
    host = plugin_host(
        type("Plugin", (), {"on_master_order": lambda self, message, event: hook(message, event)})
    )
    scope["context"] = host.context
    host.deliver(testing.master_order(master_order_id=at_work, status="PROCESSING"))
    assert host.context.api("main").master_order(at_work).status == "PAUSED"


def test_an_action_of_which_nothing_is_known_is_asked_for(
    plugin_host: StartPlugin, venue: Venue, at_work: str
) -> None:
    host = plugin_host(type("Plugin", (), {"on_tick": lambda self: None}))
    api = host.context.api("main")
    run("error.outcome_unknown", api=api, name=at_work)
    assert api.master_order(at_work).status == "PAUSED"
    with pytest.raises(RestError):
        run("error.outcome_unknown", api=api, name="unknown")


def test_a_sink_says_which_events_and_how_many() -> None:
    sink = run("max_events = 500")["Sink"]
    batches: list[list[str]] = []
    plugin = type(
        "Sink",
        (sink,),
        {"on_batch": lambda self, events: batches.append([event.kind for event in events])},
    )
    with PluginHost(plugin) as host:
        host.deliver(testing.order(), testing.status(), testing.fill())
    assert batches == [["order", "fill"]]


def test_a_command_has_its_help() -> None:
    command = run("def command()")["command"]
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    assert "Compare what is kept with the journal." in shown.output


def test_a_table_is_written_as_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code_with("ParquetTable")
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.chdir(tmp_path)
    events = Events()
    with PluginHost(
        type("Plugin", (), {"on_tick": lambda self: None}), history=[events.order(), events.fill()]
    ) as host:
        run("ParquetTable", context=host.context)
    assert parquet.read_table("fills.parquet").num_rows == 1


def test_a_plugin_says_whether_its_folder_can_be_written(tmp_path: Path) -> None:
    config = run("def check(self, context: qehost.Context)", os=os, msgspec=msgspec)["Config"]
    context = SimpleNamespace(settings_dir=tmp_path)
    assert config(".").check(context) == f"{tmp_path} can be written"
    with pytest.raises(qehost.Error, match="can't be written"):
        config("nowhere").check(context)


def test_there_is_no_code_on_the_page_that_is_not_run() -> None:
    used = [
        code_with(str(node.args[0].value))
        for node in ast.walk(ast.parse(Path(__file__).read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("run", "code_with")
        and isinstance(node.args[0], ast.Constant)
    ]
    signatures = [code for code in CODE if re.match(r"def on_\w+\([^)]*\) -> None: \.\.\.", code)]
    files = [code for code in CODE if re.match(r"# \S+\.py\n", code)]
    assert len(signatures) == len(HOOKS)
    assert [code for code in CODE if code not in (*signatures, *files, *used)] == []
