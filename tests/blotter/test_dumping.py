"""A dump is as good as the blotter, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from qehost.blotter import Blotter
from qehost.blotter.dumping import VERSION
from qehost.errors import DumpError, Error
from qehost.testing import Events


@pytest.fixture
def dump() -> bytes:
    events, blotter = Events(), Blotter()
    update = events.order(status="FILLED")
    blotter.add_all([events.connected(), events.master_order(), update, events.fill_of(update)])
    return blotter.dump()


def test_a_loaded_blotter_is_as_the_one_that_was_dumped(dump: bytes) -> None:
    blotter = Blotter()
    blotter.load(dump)
    assert blotter.dump() == dump
    assert [master.fills for master in blotter.masters()] == [1]
    assert blotter.link("main").state == "up"
    assert blotter.seq == {"main": 4}
    assert blotter.quotes == {"BTCUSDT": "USDT"}


def test_loading_keeps_the_own_bounds(dump: bytes) -> None:
    blotter = Blotter(children=0, fills=0)
    blotter.load(dump)
    assert not list(blotter.children())
    assert not list(blotter.fills())
    (master,) = blotter.masters()
    assert str(master.filled) == "0.5"


@pytest.mark.parametrize("place", [-1, 40, 200])
def test_a_damaged_dump_is_refused(dump: bytes, place: int) -> None:
    damaged = bytearray(dump)
    damaged[place] ^= 1
    with pytest.raises(DumpError, match="checksum"):
        Blotter().load(bytes(damaged))


@pytest.mark.parametrize("size", range(0, 60, 7))
def test_a_dump_that_was_cut_off_is_refused(dump: bytes, size: int) -> None:
    with pytest.raises(DumpError):
        Blotter().load(dump[:size])


@pytest.mark.parametrize("data", [b"", b"\n", b"qehost blotter \n", b"{}", b"\x00" * 100])
def test_what_is_no_dump_is_refused(data: bytes) -> None:
    with pytest.raises(DumpError, match=r"no dump.*read the journal again"):
        Blotter().load(data)


def test_a_dump_of_another_version_is_refused_by_its_number(dump: bytes) -> None:
    other = dump.replace(b"blotter %d\n" % VERSION, b"blotter %d\n" % (VERSION + 1))
    with pytest.raises(DumpError, match=f"format {VERSION + 1}") as caught:
        Blotter().load(other)
    assert isinstance(caught.value, Error)


def test_a_refused_dump_changes_nothing(dump: bytes) -> None:
    blotter = Blotter()
    blotter.load(dump)
    with pytest.raises(DumpError):
        blotter.load(dump[:-1])
    assert blotter.dump() == dump
