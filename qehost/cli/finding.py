"""What one line of `qehost check` says."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = ["Finding", "State", "counted", "failed", "ok", "warning"]

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


class Finding(msgspec.Struct, frozen=True):
    """`subject` was looked at; `text` says what was found, `advice` what to do next."""

    subject: str
    state: State
    text: str
    advice: str = ""


def ok(subject: str, text: str) -> Finding:
    return Finding(subject, "ok", text)


def warning(subject: str, text: str, advice: str = "") -> Finding:
    """It works, and somebody should look at it."""
    return Finding(subject, "warning", text, advice)


def failed(subject: str, text: str, advice: str = "") -> Finding:
    return Finding(subject, "failed", text, advice)


def counted(number: int, noun: str) -> str:
    """`1 plugin`, `2 plugins`"""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
