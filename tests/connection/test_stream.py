"""The shell around the socket: real sockets, a venue that misbehaves."""

from __future__ import annotations

import os
import resource
import selectors
import socket
import threading

import pytest
from waiting import PATIENCE

from qehost.connection.frames import Ping
from qehost.connection.stream import open_stream
from qehost.errors import ConnectError, ConnectionLost, ProtocolViolation
from qehost.network.dial import tls_context


def test_messages_come_whole_and_in_order(start_venue, open_to, receive_all, frame):
    def script(peer):
        peer.upgrade(frame(b"one"))
        peer.send(frame(b"tw", 0x01) + frame(b"o", 0x80) + frame(b"\x00\x01", 0x82))
        peer.send(frame(b"x" * 300_000))

    stream = open_to(start_venue(script))
    items, lost = receive_all(stream)
    assert items == ["one", "two", b"\x00\x01", "x" * 300_000]
    assert lost.close_code == 1006


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1011, 1012, 4999])
def test_a_close_frame_of_any_code_is_answered_and_ends_it(
    start_venue, open_to, receive_all, frame, code
):
    answers = []

    def script(peer):
        payload = b"" if code == 1005 else code.to_bytes(2) + b"bye"
        peer.upgrade(frame(b"last") + frame(payload, 0x88))
        answers.append(peer.read_frame())

    venue = start_venue(script)
    stream = open_to(venue)
    items, lost = receive_all(stream)
    stream.close()
    venue.wait()
    assert items == ["last"]
    assert lost.close_code == code
    assert answers == [(8, b"" if code == 1005 else code.to_bytes(2))]


def test_a_reset_ends_it(start_venue, open_to, receive_all, frame):
    def script(peer):
        peer.upgrade()
        peer.read_frame()
        peer.reset()

    stream = open_to(start_venue(script))
    stream.send_text("go")
    _, lost = receive_all(stream)
    assert "connection reset" in str(lost)


def test_a_torn_frame_ends_it_after_the_messages_before(start_venue, open_to, receive_all, frame):
    def script(peer):
        peer.upgrade(frame(b"whole") + frame(b"torn apart")[:5])

    items, lost = receive_all(open_to(start_venue(script)))
    assert items == ["whole"]
    assert "without a close frame" in str(lost)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (b"\xc1\x01x", 1002),
        (b"\x83\x01x", 1002),
        (b"\x81\x81xxxxx", 1002),
        (b"\x81\x02\xff\xff", 1007),
        (b"\x82\x7f" + (2**40).to_bytes(8), 1009),
        (b"\x88\x02\x03\xed", 1002),
    ],
)
def test_a_violation_is_told_to_the_venue(start_venue, open_to, receive_all, frame, wrong, code):
    said = []

    def script(peer):
        peer.upgrade(frame(b"good") + wrong)
        said.append(peer.read_frame())

    venue = start_venue(script)
    stream = open_to(venue)
    items, lost = receive_all(stream)
    stream.close()
    venue.wait()
    assert items == ["good"]
    assert isinstance(lost, ProtocolViolation)
    assert lost.close_code == code
    assert said == [(8, code.to_bytes(2))]


def test_pings_are_answered_by_receiving(start_venue, open_to, receive_all, frame):
    answers = []

    def script(peer):
        peer.upgrade(frame(b"1", 0x89) + frame(b"2", 0x89))
        answers.extend([peer.read_frame(), peer.read_frame()])

    items, _ = receive_all(open_to(start_venue(script)))
    assert items == [Ping(b"1"), Ping(b"2")]
    assert answers == [(10, b"1"), (10, b"2")]


def test_a_flood_of_pings_whose_sender_does_not_read_holds_nothing_up(
    start_venue, open_to, receive_all, frame
):
    def script(peer):
        peer.upgrade()
        for _ in range(200):
            peer.send(frame(b"p" * 125, 0x89) * 500)
        peer.send(frame(b"done"))
        peer.sock.shutdown(socket.SHUT_WR)
        gone.wait(PATIENCE)

    gone = threading.Event()

    items, lost = receive_all(open_to(start_venue(script)))
    gone.set()
    assert items[-1] == "done"
    assert len(items) == 100_001
    assert lost.close_code == 1006


def test_what_we_send_arrives_masked_and_whole(start_venue, open_to, receive_all, frame):
    frames = []

    def script(peer):
        peer.upgrade()
        frames.extend(peer.read_frame() for _ in range(3))

    stream = open_to(start_venue(script))
    stream.send_text("é")
    stream.send_ping(b"x")
    stream.send_text("b" * 1000)
    receive_all(stream)
    assert frames == [(1, "é".encode()), (9, b"x"), (1, b"b" * 1000)]


def test_a_venue_that_takes_nothing_is_given_up_after_the_send_timeout(start_venue, open_to):
    stop = threading.Event()

    def script(peer):
        peer.upgrade()
        stop.wait(PATIENCE)

    stream = open_to(start_venue(script), send_timeout=0.2)
    stream.send_text("x" * 20_000_000)
    assert stream.pending()
    with pytest.raises(ConnectionLost, match=r"not sent within 0\.2 s"):
        stream.receive()
    stop.set()


def test_what_came_before_a_failed_sending_is_still_received(start_venue, open_to, frame):
    came = threading.Event()

    def script(peer):
        peer.upgrade(frame(b"one"))
        came.wait(PATIENCE)
        peer.send(frame(b"two"))
        peer.reset()

    venue = start_venue(script)
    stream = open_to(venue)
    came.set()
    venue.wait()
    while not stream.pending():
        stream.send_ping()
    assert stream.receive() == ["one", "two"]
    with pytest.raises(ConnectionLost):
        stream.receive()


def test_closing_hands_out_what_still_comes(start_venue, open_to, frame):
    said = []

    def script(peer):
        peer.upgrade()
        said.append(peer.read_frame())
        peer.send(frame(b"late") + frame(b"\x03\xe8", 0x88))

    venue = start_venue(script)
    stream = open_to(venue)
    assert stream.close(1000, "stopped") == ["late"]
    venue.wait()
    assert said == [(8, b"\x03\xe8stopped")]


def test_closing_is_bounded_when_the_venue_does_not_answer(start_venue, open_to):
    def script(peer):
        peer.upgrade()
        while peer.read_frame()[0] >= 0:
            pass

    stream = open_to(start_venue(script))
    assert stream.close(timeout=0.1) == []
    assert stream.fileno() == -1


def test_over_tls_many_records_come_whole_and_pending_tells_of_what_is_decrypted(
    start_venue, open_to, receive_all, frame, tls
):
    def script(peer):
        peer.upgrade(frame(b"first"))
        peer.send(b"".join(frame(b"%d " % number + b"x" * 700) for number in range(2000)))
        peer.send(frame(b"y" * 500_000) + frame(b"\x03\xe8", 0x88))
        peer.read_frame()

    ours, theirs = tls[1], tls[0]
    stream = open_to(start_venue(script, theirs), tls=ours)
    stream.send_ping()
    items, lost = receive_all(stream)
    stream.close()
    assert [item[:4].split()[0] for item in items[1:2001]] == [str(n) for n in range(2000)]
    assert items[2001:] == ["y" * 500_000]
    assert lost.close_code == 1000


def test_over_tls_nothing_is_left_behind_a_selector(start_venue, open_to, frame, tls):
    sent = 50

    def script(peer):
        peer.upgrade()
        for number in range(sent):
            peer.send(frame(str(number).encode()) + frame(b"z" * 20_000))
        peer.read_frame()

    stream = open_to(start_venue(script, tls[0]), tls=tls[1])
    got = []
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while len(got) < 2 * sent:
            if not stream.pending():
                assert selector.select(PATIENCE)
            got += stream.receive()
    assert got[::2] == [str(number) for number in range(sent)]


def test_over_tls_a_reset_and_a_torn_record_end_it(start_venue, open_to, receive_all, frame, tls):
    def script(peer):
        peer.upgrade(frame(b"one"))
        peer.read_frame()
        peer.reset()

    stream = open_to(start_venue(script, tls[0]), tls=tls[1])
    stream.send_ping()
    items, lost = receive_all(stream)
    assert items == ["one"]
    assert lost.close_code == 1006


def test_that_this_machine_has_no_file_left_is_told_in_words():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    tls, lowest = tls_context(), os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        with pytest.raises(ConnectError, match="open files") as caught:
            open_stream("ws://127.0.0.1:1/?listen_key=hidden", timeout=5, tls=tls)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "hidden" not in str(caught.value)
