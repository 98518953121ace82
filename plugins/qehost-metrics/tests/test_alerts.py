"""Each alert fires where it should and not where it should not, by promtool."""

import json
import subprocess
from pathlib import Path

import pytest

import qehost_metrics

from .conftest import PROMTOOL, needs_prometheus

ALERTS = Path(qehost_metrics.__file__).with_name("alerts.yml")
pytestmark = needs_prometheus

# Alert, its labels beside severity, series, values that fire, values that don't; one a minute.
CASES = [
    ("QehostDown", {"job": "qehost"}, "up", "0x20", "0 1x19"),
    ("QehostStatusOld", {}, "qehost_status_age_seconds", "60x20", "2x20"),
    ("QehostStreamDown", {"account": "a"}, "qehost_connected", "0x20", "1x17 0 1 1"),
    ("QehostReconnecting", {"account": "a"}, "qehost_disconnects_total", "0+1x20", "0x10 1x10"),
    ("QehostUnprotected", {"account": "a"}, "qehost_protected", "0x20", "1x20"),
    (
        "QehostHostBehind",
        {"account": "a", "process": "p"},
        "qehost_host_behind_seconds",
        "0+60x20",
        "59x20",
    ),
    ("QehostHostDown", {"process": "p"}, "qehost_host_ready", "0x20", "0x5 1x15"),
    ("QehostCallHangs", {"process": "p"}, "qehost_host_call_seconds", "0+60x20", "0x20"),
    ("QehostPluginNotRunning", {"plugin": "x"}, "qehost_plugin_running", "0x20", "1x18 0 1"),
    (
        "QehostPluginBehind",
        {"plugin": "x", "account": "a"},
        "qehost_plugin_behind_seconds",
        "0+60x20",
        "299x20",
    ),
    ("QehostPluginProblem", {"plugin": "x"}, "qehost_plugin_problems", "1x20", "0x20"),
    ("QehostDeadLetters", {"plugin": "x"}, "qehost_dead_letters", "0x10 2x10", "0x20"),
    (
        "QehostRejects",
        {"account": "a", "symbol": "BTCUSDT"},
        "qehost_orders_total",
        "0+4x20",
        "0+1x20",
    ),
    # A burst that begins the series.
    (
        "QehostRejects",
        {"account": "a", "symbol": "BTCUSDT"},
        "qehost_orders_total",
        "_x17 1000x2",
        "1000x20",
    ),
]


def promtool(*arguments, text=None):
    return subprocess.run(
        [PROMTOOL, *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_rules_are_well_formed():
    done = promtool("check", "rules", ALERTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case():
    text = ALERTS.read_text()
    assert {case[0] for case in CASES} == {
        line.split()[-1] for line in text.splitlines() if "- alert:" in line
    }


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_it_fires_and_does_not(case, tmp_path):
    name, labels, metric, bad, good = case
    extra = {"status": "REJECTED"} if name == "QehostRejects" else {}
    series = {"instance": "i", **labels, **extra}
    selector = f"{metric}{{{','.join(f'{k}={json.dumps(v)}' for k, v in series.items())}}}"
    query = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": selector, "values": values}],
            "promql_expr_test": [{"expr": query, "eval_time": "20m", "exp_samples": samples}],
        }
        for values, samples in ((bad, [{"labels": "{}", "value": 1}]), (good, []))
    ]
    checks = tmp_path / "checks.yml"
    # JSON is YAML, too.
    checks.write_text(
        json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "15s", "tests": tests})
    )
    done = promtool("test", "rules", checks)
    assert done.returncode == 0, done.stdout + done.stderr
