"""Messages between a child process and its parent."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Pipe

import pytest

from qehost.processes.control import (
    Attach,
    ConnectionStatus,
    Control,
    HostStatus,
    LogLine,
    Stop,
    StopRequest,
)

STATUS = ConnectionStatus("connected", 0.0, 0, 0.0, 0.0, 0, True)


@pytest.fixture
def ends() -> Iterator[tuple[Control, Control]]:
    one, other = Pipe()
    with one, other:
        yield Control(one), Control(other)


def test_messages_come_as_they_were_sent_in_their_order(ends: tuple[Control, Control]) -> None:
    ours, theirs = ends
    sent = [Stop("closed", 2.0), STATUS, LogLine(30, "a line"), StopRequest("x" * 300_000)]
    sender = threading.Thread(target=lambda: [theirs.send(each) for each in sent])
    sender.start()
    assert [ours.receive() for _ in sent] == sent
    sender.join()
    assert not ours.poll()


def test_messages_of_several_threads_do_not_mix(ends: tuple[Control, Control]) -> None:
    ours, theirs = ends
    texts = [f"{number} " + "x" * 100_000 for number in range(8)]
    senders = [threading.Thread(target=theirs.send, args=[StopRequest(text)]) for text in texts]
    for sender in senders:
        sender.start()
    assert {ours.receive() for _ in texts} == set(map(StopRequest, texts))
    for sender in senders:
        sender.join()


@pytest.mark.parametrize("message", [STATUS, HostStatus([]), LogLine(30, "x" * 30_000)])
def test_what_would_have_to_wait_for_a_parent_that_reads_nothing_is_left_out(
    ends: tuple[Control, Control], message: ConnectionStatus | HostStatus | LogLine
) -> None:
    ours, theirs = ends
    sent = 0
    while theirs.send(message):
        sent += 1
    assert not theirs.has_room()
    assert [ours.receive() for _ in range(sent)] == [message] * sent
    assert not ours.poll()
    assert theirs.send(message)


def test_the_end_of_the_other_side_is_an_end_of_file_and_nothing_raises_otherwise(
    ends: tuple[Control, Control],
) -> None:
    ours, theirs = ends
    theirs.close()
    assert ours.poll()
    with pytest.raises(EOFError):
        ours.receive()
    assert not ours.send(Stop("", 1.0))
    assert not theirs.poll()


def test_an_end_of_a_queue_is_handed_over_and_no_longer_held(ends: tuple[Control, Control]) -> None:
    ours, theirs = ends
    reader, writer = Pipe(duplex=False)
    assert ours.send_queue(Attach("main"), reader)
    assert reader.closed
    assert theirs.receive() == Attach("main")
    with theirs.receive_queue(writable=False) as received, writer:
        assert not os.get_inheritable(received.fileno())
        writer.send_bytes(b"through")
        assert received.recv_bytes() == b"through"


def test_it_works_in_a_program_with_more_than_a_thousand_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip("this user may not open so many")
    with ExitStack() as undo:
        if soft < 2000:
            resource.setrlimit(resource.RLIMIT_NOFILE, (2000, hard))
            undo.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            undo.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        ours, theirs = map(Control, map(undo.enter_context, Pipe()))
        assert theirs.send(STATUS)
        assert ours.poll()
        assert ours.receive() == STATUS
