"""The slow plugin: each call of its hooks sleeps."""

from __future__ import annotations

import time

from programs import SLEEP


def on_master_order() -> None:
    time.sleep(SLEEP)


def on_order() -> None:
    time.sleep(SLEEP)


def on_fill() -> None:
    time.sleep(SLEEP)
