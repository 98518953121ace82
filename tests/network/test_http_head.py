"""The head of an HTTP answer."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.network.deadline import BoundedSocket, Deadline
from qehost.network.http_head import HttpHead, parse_head, read_head


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield BoundedSocket(ours, Deadline(10)), theirs


def test_the_head_is_read_and_not_one_byte_more(pair):
    pipe, peer = pair
    peer.sendall(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nrest")
    assert read_head(pipe) == b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"
    assert pipe.recv(100) == b"rest"


def test_a_head_without_an_end_is_refused(pair):
    pipe, peer = pair
    peer.sendall(b"x" * 40_000)
    with pytest.raises(ValueError, match="without an end within 32768 bytes"):
        read_head(pipe)


def test_a_head_that_is_cut_off_is_an_end_of_file(pair):
    pipe, peer = pair
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    peer.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError):
        read_head(pipe)


def test_status_and_headers_are_found():
    head = parse_head(b"HTTP/1.1 401 Not you\r\nRetry-After:  7\r\nX: a:b\r\nbroken\r\n\r\n")
    assert head == HttpHead(401, {"retry-after": "7", "x": "a:b"})


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"HTTP/1.1", b"HTTP/1.1 abc", b"SSH-2.0 200"])
def test_what_is_no_http_has_status_0(data):
    assert parse_head(data).status == 0


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise(data):
    assert 0 <= parse_head(b"HTTP/1.1 " + data).status <= 999
