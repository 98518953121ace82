"""Real runs of the program against a local venue, scraped by a real Prometheus."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse
from contextlib import contextmanager, suppress
from pathlib import Path

import promql_parser
import pytest

import qehost_metrics

from .conftest import PROMETHEUS, PROMTOOL, Page, Run, needs_prometheus, wait_for

FOLDER = Path(qehost_metrics.__file__).parent
COMES_AND_GOES = {"qehost_plugin_behind_seconds"}
"""The families that have no series while all is level."""
OTHER = """
[plugins.other]
module = "other.py"
"""
WAITS = """
import qehost

def on_start(context): ...

def on_order(event):
    raise qehost.Retry(after=60, reason="the database is down")
"""
HANGS = """
import time
from pathlib import Path

def on_order(message):
    while not Path("go on").exists():
        time.sleep(0.05)
"""


def queries():
    """Of the dashboard, as Prometheus takes them."""
    board = json.loads((FOLDER / "grafana.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            text = target["expr"].replace("$__rate_interval", "1m").replace("$__range", "1m")
            yield text.replace("$account", ".*")


def alerts():
    for line in (FOLDER / "alerts.yml").read_text().splitlines():
        if line.strip().startswith("expr:"):
            yield line.partition("expr:")[2].strip()


def selectors(node):
    """Every selector of an expression: its metric's name and its labels."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name, {each.name for each in node.matchers.matchers}
    for name in ("expr", "lhs", "rhs", "vector_selector", "args", "param"):
        inner = getattr(node, name, None)
        for each in inner if isinstance(inner, list) else [inner]:
            if each is not None and not isinstance(each, str):
                yield from selectors(each)


@pytest.fixture
def prometheus(run, tmp_path):
    """The address of one that scrapes the run."""
    run.wait_for(lambda: "qehost_fill_notional_total{" in run.get().text)
    target = run.url.removeprefix("http://")
    job = {"job_name": "qehost", "static_configs": [{"targets": [target]}]}
    settings = {
        "global": {"scrape_interval": "5s", "scrape_timeout": "5s"},
        "scrape_configs": [job],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(settings))
    log = tmp_path / "prometheus.log"
    for _ in range(5):  # it can't be told to take any port, and another may take ours
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        with start_prometheus(tmp_path, address) as process:
            if is_ready(process, address):
                yield f"http://{address}"
                return
    raise AssertionError(log.read_text())


@contextmanager
def start_prometheus(folder, address):
    with (folder / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(
            [
                PROMETHEUS,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={address}",
                "--enable-feature=exemplar-storage",
                "--log.level=error",
            ],
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def is_ready(process, address):
    """False: it has ended."""

    def answers_or_ended():
        with suppress(OSError):
            if Page(f"http://{address}/-/ready").status == 200:
                return True
        return process.poll() is not None

    wait_for(answers_or_ended)
    return process.poll() is None


def asked(prometheus, path, **parameters):
    page = Page(f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
    return page.json()["data"]


@needs_prometheus
def test_prometheus_scrapes_it_and_no_query_of_the_dashboard_is_empty(run, prometheus):
    def found(query):
        return asked(prometheus, "query", query=query)["result"]

    run.wait_for(lambda: found("up == 1"))
    for query in queries():
        run.wait_for(lambda query=query: found(query))
    name = "qehost_event_delay_seconds_bucket"
    now = time.time()
    exemplars = asked(prometheus, "query_exemplars", query=name, start=now - 120, end=now)
    assert exemplars[0]["exemplars"][0]["labels"]["account"] == "main"


@needs_prometheus
def test_promtool_has_nothing_against_the_page(run):
    run.wait_for(lambda: not list(missing(run.get().text)))
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"],
        input=run.get().body,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def missing(text):
    """What dashboard and alerts ask for, and the page has not: name, labels, query."""
    for query in (*queries(), *alerts()):
        for name, labels in selectors(promql_parser.parse(query)):
            if name == "up" or (name in COMES_AND_GOES and f"# TYPE {name} " in text):
                continue
            found = [
                line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))
            ]
            if not any(all(f'{each}="' in line for each in labels) for line in found):
                yield name, labels, query


def test_every_name_and_label_of_dashboard_and_alerts_is_on_the_page(run):
    asked_for = [
        each for query in (*queries(), *alerts()) for each in selectors(promql_parser.parse(query))
    ]
    assert len(asked_for) > 30
    assert next(missing(""))
    # The status comes once a second, and its figures with it.
    run.wait_for(lambda: "qehost_fill_notional_total{" in run.get().text)
    until = time.monotonic() + 60
    while (left := list(missing(run.get().text))) and time.monotonic() < until:
        time.sleep(0.2)
    assert left == []


def test_the_dashboard_is_whole():
    board = json.loads((FOLDER / "grafana.json").read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert board["uid"]
    assert board["schemaVersion"] >= 36
    cells = set()
    for panel in panels:
        assert panel["datasource"]["uid"] == "${datasource}"
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert x < 24
                assert (x, y) not in cells, panel["title"]
                cells.add((x, y))


def reason(run, text):
    def found():
        page = run.get("/healthz")
        return page.status == 503 and any(text in each for each in page.json()["reasons"])

    return run.wait_for(found)


def is_well(run):
    return run.wait_for(lambda: run.get("/healthz").status == 200)


def test_a_stopped_host_process_and_a_stopped_supervisor_are_seen(tmp_path, venue):
    (tmp_path / "other.py").write_text("def on_order(message): ...\n")
    run = Run(tmp_path, venue, OTHER)
    try:
        is_well(run)
        pid = next(each["pid"] for each in run.status()["hosts"] if each["name"] == "main")
        os.kill(pid, signal.SIGSTOP)
        try:
            reason(run, "host process main: ")
        finally:
            os.kill(pid, signal.SIGCONT)
        is_well(run)
        os.kill(run.process.pid, signal.SIGSTOP)
        try:
            reason(run, "the supervisor is stuck or dead")
        finally:
            os.kill(run.process.pid, signal.SIGCONT)
        is_well(run)
    finally:
        run.stop()


def test_a_hook_that_does_not_end_is_seen_while_its_process_is_stuck_in_it(tmp_path, venue):
    (tmp_path / "other.py").write_text(HANGS)
    run = Run(tmp_path, venue, OTHER)
    try:
        reason(run, "host process main: in on_order of plugin other for")
        assert run.get().value('qehost_host_call_seconds{process="main"}') > 1
        (tmp_path / "go on").touch()
        is_well(run)
    finally:
        (tmp_path / "go on").touch()
        run.stop()


def test_nothing_answers_for_a_supervisor_that_was_killed(run):
    is_well(run)
    run.process.kill()
    run.process.wait()

    def nobody_answers():
        try:
            run.get("/healthz")
        except OSError:
            return True
        return False

    wait_for(nobody_answers)


def test_a_plugin_that_waits_and_one_that_is_refused_are_seen(tmp_path, venue):
    (tmp_path / "other.py").write_text(WAITS)
    (tmp_path / "wrong.py").write_text('raise ValueError("it is broken")\n')
    run = Run(tmp_path, venue, OTHER + '[plugins.wrong]\nmodule = "wrong.py"\n')
    try:
        reason(run, "plugin other: waiting: ")
        reason(run, "plugin wrong: refused: ")
    finally:
        run.stop()


def test_a_stream_that_is_down_is_seen(run, venue):
    is_well(run)
    venue.stop()
    reason(run, "account main: not connected for")
