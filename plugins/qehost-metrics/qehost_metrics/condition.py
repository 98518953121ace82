"""The state of the pipeline as gauges, made of the status when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from qehost import Status

from qehost_metrics.health import Limits, reasons

__all__ = ["Condition"]


class Condition(Collector):
    """`symbols_beyond` says how many symbols of an account have no series of their own."""

    def __init__(
        self,
        status: Callable[[], Status | None],
        limits: Limits,
        accounts: Sequence[str],
        symbols_beyond: Callable[[str], int],
    ) -> None:
        self._status = status
        self._limits = limits
        self._accounts = accounts
        self._symbols_beyond = symbols_beyond

    def collect(self) -> Iterator[Metric]:
        beyond = GaugeMetricFamily(
            "qehost_symbols_without_series",
            "Symbols that are counted as other, since the account has so many; up to 200.",
            labels=["account"],
        )
        for account in self._accounts:
            beyond.add_metric([account], self._symbols_beyond(account))
        yield beyond
        status = self._status()
        yield GaugeMetricFamily(
            "qehost_healthy", "1 where /healthz is 200.", not reasons(status, self._limits)
        )
        if status is None:
            return
        info = GaugeMetricFamily("qehost_build_info", "Its version.", labels=["version"])
        info.add_metric([status.version], 1)
        yield info
        yield GaugeMetricFamily(
            "qehost_status_age_seconds",
            "How old the status is that most of these figures are of.",
            status.age(),
        )
        yield from _connections(status)
        yield from _hosts(status)
        yield from _plugins(status)
        yield _memory(status)


def _connections(status: Status) -> Iterator[Metric]:
    gauges = [
        ("qehost_connected", "1 while the stream is open."),
        ("qehost_protected", "1 while what is received is journalled."),
        ("qehost_journal_bytes", "Size of the journal."),
    ]
    families = [GaugeMetricFamily(name, text, labels=["account"]) for name, text in gauges]
    last = GaugeMetricFamily(
        "qehost_last_message_timestamp_seconds",
        "When the venue sent anything last; absent before the first.",
        labels=["account"],
    )
    for each in status.connections:
        figures = (each.state == "connected", each.protected, each.journal_bytes)
        for family, figure in zip(families, figures, strict=True):
            family.add_metric([each.account], figure)
        if each.last_message:
            last.add_metric([each.account], each.last_message)
    yield from families
    yield last


def _hosts(status: Status) -> Iterator[Metric]:
    labels = ["process", "account"]
    events = GaugeMetricFamily(
        "qehost_host_behind_events", "Received and not delivered.", labels=labels
    )
    seconds = GaugeMetricFamily(
        "qehost_host_behind_seconds", "How long the oldest of these has waited.", labels=labels
    )
    ready = GaugeMetricFamily(
        "qehost_host_ready", "1 while its plugins are started.", labels=["process"]
    )
    calls = GaugeMetricFamily(
        "qehost_host_call_seconds",
        "How long the call of a hook has taken that goes on now; 0: none does.",
        labels=["process"],
    )
    for host in status.hosts:
        ready.add_metric([host.name], bool(host.pid) and host.ready)
        calls.add_metric([host.name], host.call.took if host.call is not None else 0.0)
        for cursor in host.cursors:
            events.add_metric([host.name, cursor.account], cursor.lag_events)
            seconds.add_metric([host.name, cursor.account], cursor.lag)
    yield from (events, seconds, ready, calls)


def _plugins(status: Status) -> Iterator[Metric]:
    labels = ["plugin"]
    calls = CounterMetricFamily("qehost_plugin_calls", "Calls of its hooks.", labels=labels)
    errors = CounterMetricFamily("qehost_plugin_errors", "Calls that raised.", labels=labels)
    busy = CounterMetricFamily(
        "qehost_plugin_busy_seconds", "Time in calls of its hooks.", labels=labels
    )
    letters = GaugeMetricFamily("qehost_dead_letters", "Events it refused.", labels=labels)
    running = GaugeMetricFamily("qehost_plugin_running", "1 while it gets events.", labels=labels)
    problems = GaugeMetricFamily(
        "qehost_plugin_problems", "What it says is wrong now.", labels=labels
    )
    behind = GaugeMetricFamily(
        "qehost_plugin_behind_seconds",
        "How long the oldest event waits for one that is not where its process is.",
        labels=[*labels, "account"],
    )
    for host in status.hosts:
        for each in host.plugins:
            calls.add_metric([each.name], each.calls)
            errors.add_metric([each.name], each.errors)
            busy.add_metric([each.name], each.busy)
            letters.add_metric([each.name], each.dead_letters)
            running.add_metric([each.name], each.state == "running")
            problems.add_metric([each.name], len(each.problems))
            for cursor in each.cursors:
                behind.add_metric([each.name, cursor.account], cursor.lag)
    yield from (calls, errors, busy, letters, running, problems, behind)


def _memory(status: Status) -> Metric:
    """A host process and an account may have one name, so the role is a label, too."""
    memory = GaugeMetricFamily(
        "qehost_process_resident_memory_bytes", "Resident memory.", labels=["process", "role"]
    )
    processes = [
        ("supervisor", "supervisor", status.usage),
        *((each.account, "connection", each.usage) for each in status.connections),
        *((each.name, "host", each.usage) for each in status.hosts),
    ]
    for name, role, usage in processes:
        if usage.memory:
            memory.add_metric([name, role], usage.memory)
    return memory
