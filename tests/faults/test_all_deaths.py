"""The deaths of the connection process, of the supervisor, and of all at once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from promise import Numbers, check, delivered_numbers, last_seq
from running import QUICK, Run

from qehost.events.codec import decode_events
from qehost.simulator import Venue
from qehost.storage.journal import Batch
from qehost.storage.journal.reader import JournalReader
from qehost.storage.state_folder import StateFolder


def journalled_numbers(run: Run) -> set[int]:
    """The numbers that were received, as the journal has them."""
    with JournalReader(StateFolder(run.state).journal("main")) as journal:
        parts = list(journal.read(0))
    return {
        int(str(event.message).split()[0])
        for part in parts
        if isinstance(part, Batch)
        for event in decode_events(part.events)
        if event.kind == "status"
    }


def test_a_connection_process_that_dies_is_started_again_and_what_it_received_is_delivered(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        host = run.pids()["host main"]
        with Numbers(venue, rate=700) as numbers:
            # More often than a process that can't live at all may die.
            for count in range(2, 8):
                os.kill(run.pids()["connection main"], signal.SIGKILL)
                run.wait_for_connections(count)
                # One that brought no message would count as one that can't live.
                sent = numbers.sent
                run.wait_for(
                    lambda sent=sent: max(delivered_numbers(run), default=0) > sent, "a message"
                )
        run.wait_for(lambda: numbers.sent in delivered_numbers(run), "the last number")
        assert run.pids()["host main"] == host
        assert run.stop() == 0
        check(run)
        assert delivered_numbers(run) == journalled_numbers(run)
        assert not run.records(redelivered=True)
        # Each connection after the first knows since when the stream was not heard.
        connected = run.records("on_connected")
        assert all(record["message"]["down_since"] for record in connected[1:])


def test_what_a_dead_connection_process_had_journalled_and_not_handed_over_is_delivered(
    tmp_path: Path, venue: Venue
) -> None:
    settings = {**QUICK, "host.queue_bytes": 1 << 20}
    with Run(tmp_path, venue=venue, settings=settings) as run:
        run.wait_for(lambda: run.records("on_connected"))
        pids = run.pids()
        os.kill(pids["host main"], signal.SIGSTOP)
        numbers = Numbers(venue, rate=1, padding=10_000)
        numbers.push(400)  # 8 MB with their texts: more than queue and pipe hold
        run.wait_for(lambda: last_seq(run) == 401, "the journal")
        os.kill(pids["connection main"], signal.SIGKILL)
        os.kill(pids["host main"], signal.SIGCONT)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert not run.records(redelivered=True)


def test_no_child_outlives_the_supervisor_though_a_plugin_hangs(
    tmp_path: Path, venue: Venue
) -> None:
    source = "import ctypes\ndef on_connected(event):\n    ctypes.PyDLL(None).sleep(1000)\n"
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"zombie": source}) as run:
        run.wait_for(lambda: run.records("on_connected"))
        assert len(run.all_pids()) >= 3
        os.kill(run.process.pid, signal.SIGKILL)
        run.process.wait()
        assert run.all_gone()


def test_after_the_death_of_all_the_next_start_delivers_the_rest(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        os.kill(run.pids()["host main"], signal.SIGSTOP)
        with Numbers(venue, rate=700) as numbers:
            run.wait_for(lambda: last_seq(run) > 300, "events in the journal")
            run.kill()
    before = delivered_numbers(run)
    received = journalled_numbers(run)
    assert received - before
    assert numbers.sent
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        again.wait_for(lambda: delivered_numbers(again) >= received, "what was left")
        again.wait_for_connections(2)
        assert again.stop() == 0
        check(again)


def test_what_was_received_while_the_host_was_away_comes_in_order_after_a_start(
    tmp_path: Path, venue: Venue
) -> None:
    settings = {**QUICK, "host.drain_timeout": 3.0}
    with Run(tmp_path, venue=venue, settings=settings) as run:
        run.wait_for(lambda: run.records("on_connected"))
        os.kill(run.pids()["host main"], signal.SIGSTOP)
        numbers = Numbers(venue, rate=1)
        numbers.push(500)
        run.wait_for(lambda: last_seq(run) == 501, "events in the journal")
        assert run.stop() == 0
        run.wait_for_line(r"host process main: 50\d events were not delivered in time")
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        numbers.wait_for_all(again)
        assert again.stop() == 0
        check(again)
        order = [int(str(r["message"]).split()[0]) for r in again.records("on_status")]
        assert order == sorted(set(order))


def test_a_second_instance_is_refused_with_the_first_ones_process_id(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        with Run(tmp_path, venue=venue, settings=QUICK) as second:
            assert second.wait() == 3
            second.wait_for_line(f"in use by process {run.process.pid}")
        assert run.stop() == 0
        check(run)
