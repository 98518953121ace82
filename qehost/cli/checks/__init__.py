"""What `qehost check` looks at; each check gives results, a line each."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = ["CheckResult", "Outcome", "failed", "ok", "warning"]

Outcome: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


class CheckResult(msgspec.Struct, frozen=True):
    """`text` says what was found about `subject`, `advice` what to do about it."""

    subject: str
    state: Outcome
    text: str
    advice: str = ""


def ok(subject: str, text: str) -> CheckResult:
    return CheckResult(subject, "ok", text)


def warning(subject: str, text: str, advice: str = "") -> CheckResult:
    """It works, but something should be done about it."""
    return CheckResult(subject, "warning", text, advice)


def failed(subject: str, text: str, advice: str = "") -> CheckResult:
    return CheckResult(subject, "failed", text, advice)
