"""Descriptors in reserve: files can be opened although a plugin has taken all others."""

from __future__ import annotations

import os

import pytest
from limits import no_descriptors

from qehost.host.descriptor_reserve import DescriptorReserve


def test_what_is_lent_can_be_opened_and_the_reserve_says_when_it_is_short() -> None:
    reserve = DescriptorReserve()
    assert reserve.refill()
    with no_descriptors():
        with pytest.raises(OSError, match="Too many open files"):
            os.open(os.devnull, os.O_RDONLY)
        with reserve.lent():
            kept = os.open(os.devnull, os.O_RDONLY)
        assert not reserve.refill()
    assert reserve.refill()
    os.close(kept)
    reserve.close()


def test_that_none_is_left_is_said_only_when_that_lasts() -> None:
    reserve = DescriptorReserve()
    assert not reserve.is_short(0.0)
    with no_descriptors():
        assert not reserve.is_short(1.0)
        assert not reserve.is_short(10.0)
    assert not reserve.is_short(11.0)
    with no_descriptors():
        assert not reserve.is_short(12.0)
        assert not reserve.is_short(21.0)
        assert reserve.is_short(22.0)
    reserve.close()
