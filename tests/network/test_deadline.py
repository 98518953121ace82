"""One deadline for many steps."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from qehost.network.deadline import BoundedSocket, Deadline


def test_what_is_left_shrinks_and_runs_out():
    deadline = Deadline(60)
    assert 0 < deadline.left() <= 60
    with pytest.raises(TimeoutError, match=r"not done within 0 s"):
        Deadline(0).left()


def test_a_dribble_does_not_stretch_it():
    ours, theirs = socket.socketpair()
    done = threading.Event()

    def dribble() -> None:
        while not done.wait(0.01):
            theirs.send(b"x")

    thread = threading.Thread(target=dribble)
    with ours, theirs:
        thread.start()
        try:
            with pytest.raises(TimeoutError):
                BoundedSocket(ours, Deadline(0.2)).read_exactly(100_000)
        finally:
            done.set()
            thread.join()


def test_a_peer_that_does_not_read_does_not_hold_a_sender():
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        BoundedSocket(ours, Deadline(0.1)).send(b"x" * 50_000_000)


def test_an_end_is_an_error():
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        with pytest.raises(EOFError, match="the other side ended the connection"):
            BoundedSocket(ours, Deadline(60)).recv(1)


def test_time_is_taken_from_the_monotonic_clock(monkeypatch):
    deadline = Deadline(60)
    monkeypatch.setattr(time, "time", lambda: 0)
    assert 0 < deadline.left() <= 60
