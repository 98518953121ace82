"""The parser of the server's frames.  The tests build frames by a second, independent way."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qehost.connection.frames import Close, FrameParser, Item, Ping, Pong
from qehost.errors import ProtocolViolation

LIMIT = 10_000
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", fin: bool = True) -> bytes:
    first = opcode | (0x80 if fin else 0)
    if len(payload) < 126:
        return struct.pack("!BB", first, len(payload)) + payload
    if len(payload) < 65536:
        return struct.pack("!BBH", first, 126, len(payload)) + payload
    return struct.pack("!BBQ", first, 127, len(payload)) + payload


def parse(*pieces: bytes, limit: int = LIMIT) -> tuple[list[Item], FrameParser]:
    parser = FrameParser(limit)
    items: list[Item] = []
    for piece in pieces:
        items += parser.feed(piece)
    return items, parser


def violation(*pieces: bytes, limit: int = LIMIT) -> ProtocolViolation:
    _, parser = parse(*pieces, limit=limit)
    assert parser.violation is not None
    return parser.violation


# --- what is valid ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70_000])
def test_a_text_of_any_size_comes_whole(size):
    text = "x" * size
    items, _ = parse(frame(TEXT, text.encode()), limit=100_000)
    assert items == [text]


def test_a_message_may_come_in_fragments_with_control_frames_between():
    items, _ = parse(
        frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(CONT, b"", fin=False),
        frame(PONG) + frame(CONT, b"b"),
    )
    assert items == [Ping(b"p"), Pong(b""), "ab"]


def test_a_character_may_be_cut_by_fragments_and_by_reads():
    euro = "€".encode()
    wire = frame(TEXT, euro[:1], fin=False) + frame(CONT, euro[1:2], fin=False)
    wire += frame(CONT, euro[2:])
    items, _ = parse(*(wire[i : i + 1] for i in range(len(wire))))
    assert items == ["€"]


def test_line_ends_of_a_fragmented_text_stay_as_they_are():
    items, _ = parse(frame(TEXT, b"a\r", fin=False) + frame(CONT, b"\nb\rc\n"))
    assert items == ["a\r\nb\rc\n"]


def test_a_length_may_be_written_longer_than_need_be():
    items, _ = parse(b"\x81\x7e\x00\x01a" + b"\x81\x7f" + (1).to_bytes(8) + b"b")
    assert items == ["a", "b"]


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1011, 1014, 3000, 4999])
def test_a_close_frame_is_the_last_item(code):
    wire = frame(CLOSE, code.to_bytes(2) + "adé".encode()) + frame(TEXT, b"after")
    items, parser = parse(wire, frame(TEXT, b"later"))
    assert items == [Close(code, "adé")]
    assert parser.closed
    assert parser.violation is None


def test_a_close_frame_may_be_empty():
    assert parse(frame(CLOSE))[0] == [Close(1005, "")]


# --- what is not -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        pytest.param(b"\xc1\x00", 1002, id="reserved bit in a text frame"),
        pytest.param(b"\x99\x00", 1002, id="reserved bit in a ping"),
        pytest.param(b"\x83\x00", 1002, id="reserved data opcode"),
        pytest.param(b"\x8b\x00", 1002, id="reserved control opcode"),
        pytest.param(b"\x81\x80\x00\x00\x00\x00", 1002, id="masked"),
        pytest.param(b"\x09\x00", 1002, id="fragmented ping"),
        pytest.param(b"\x89\x7e\x00\x7e", 1002, id="ping of 126 bytes"),
        pytest.param(frame(CONT, b"x"), 1002, id="continuation of nothing"),
        pytest.param(frame(TEXT, b"x", fin=False) + frame(TEXT), 1002, id="text within a text"),
        pytest.param(frame(CLOSE, b"x"), 1002, id="half a close code"),
        pytest.param(frame(TEXT, b"\xff"), 1007, id="not UTF-8"),
        pytest.param(frame(TEXT, b"\xce"), 1007, id="ends within a character"),
        pytest.param(frame(TEXT, b"\xed\xa0\x80"), 1007, id="a surrogate"),
        pytest.param(
            frame(TEXT, b"\xce", fin=False) + frame(CONT), 1007, id="fragments, cut short"
        ),
        pytest.param(frame(CLOSE, b"\x03\xe8\xff"), 1007, id="close reason that is not UTF-8"),
        pytest.param(frame(TEXT, b"x" * (LIMIT + 1)), 1009, id="too long"),
        pytest.param(b"\x82\x7f" + (2**63).to_bytes(8), 1009, id="far too long"),
    ],
)
def test_a_violation_ends_it_with_the_right_code(wire, code):
    items, parser = parse(frame(TEXT, b"before") + wire + frame(TEXT, b"after"))
    assert items == ["before"]
    assert parser.violation.close_code == code
    assert parser.feed(frame(TEXT, b"later")) == []


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_close_codes_that_must_not_be_sent_are_a_violation(code):
    assert violation(frame(CLOSE, code.to_bytes(2))).close_code == 1002


def test_the_limit_counts_all_fragments_of_a_message_and_no_more():
    half = b"x" * (LIMIT // 2)
    exact = frame(BINARY, half, fin=False) + frame(CONT, half)
    items, parser = parse(exact, exact)
    assert [len(item) for item in items] == [LIMIT, LIMIT]
    assert parser.violation is None
    one_more = frame(BINARY, half, fin=False) + frame(CONT, half, fin=False) + frame(CONT, b"x")
    assert violation(one_more).close_code == 1009


def test_a_length_beyond_the_limit_is_refused_before_the_bytes_come():
    assert violation(struct.pack("!BBH", 0x81, 126, LIMIT + 1)).close_code == 1009


def test_invalid_text_is_refused_before_the_message_is_complete():
    head = struct.pack("!BBH", 0x81, 126, 1000)
    assert violation(head, b"ok \xce", b"\xff").close_code == 1007
    assert violation(frame(TEXT, b"\xf4\x90", fin=False)).close_code == 1007


# --- properties ------------------------------------------------------------------------------

control = st.one_of(
    st.binary(max_size=125).map(lambda data: (frame(PING, data), Ping(data))),
    st.binary(max_size=125).map(lambda data: (frame(PONG, data), Pong(data))),
)


texts = st.text("a\r\né€\U0001f600", max_size=300)  # characters of one byte to four


@st.composite
def message(draw: st.DrawFn) -> tuple[bytes, list[Item]]:
    """A message in any number of fragments, control frames between them, and what comes out."""
    text: str | bytes = draw(st.one_of(texts, st.binary(max_size=300)))
    data = text.encode() if isinstance(text, str) else text
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=4)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    wire, items = b"", []
    for number, piece in enumerate(pieces):
        opcode = CONT if number else TEXT if isinstance(text, str) else BINARY
        last = number == len(pieces) - 1
        wire += frame(opcode, piece, fin=last)
        if not last and draw(st.booleans()):
            between, item = draw(control)
            wire += between
            items.append(item)
    return wire, [*items, text]


@given(st.lists(message(), max_size=5), st.lists(st.integers(0, 4000), max_size=20))
def test_any_cut_of_the_stream_gives_the_same_items(messages, cuts):
    wire = b"".join(part for part, _ in messages)
    expected = [item for _, items in messages for item in items]
    places = sorted(min(cut, len(wire)) for cut in cuts)
    pieces = [wire[a:b] for a, b in zip([0, *places], [*places, len(wire)], strict=True)]
    for cut_up in (pieces, [wire], [wire[i : i + 1] for i in range(len(wire))]):
        items, parser = parse(*cut_up)
        assert items == expected
        assert parser.violation is None


@given(st.lists(st.binary(max_size=200), max_size=10))
@example([b"\x81"])
def test_no_bytes_whatever_raise_anything(pieces):
    items, parser = parse(*pieces)
    whole, at_once = parse(b"".join(pieces))
    assert items == whole
    assert str(parser.violation) == str(at_once.violation)


def test_the_cost_is_linear_in_what_comes_in():
    def seconds(fragments: int) -> float:
        wire = frame(TEXT, b"x" * 100, fin=False) + frame(CONT, b"x" * 100, fin=False) * fragments
        parser = FrameParser(2**30)
        start = time.process_time()
        for at in range(0, len(wire), 65536):
            parser.feed(wire[at : at + 65536])
        return time.process_time() - start

    # Quadratic would be 400 times as long; 20 times is linear, the rest is for a busy machine.
    assert seconds(200_000) < 100 * max(seconds(10_000), 0.002)
