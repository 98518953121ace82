"""What leaves a process holds no secret, whoever formats and prints it."""

from __future__ import annotations

import io
import logging

import pytest

from qehost.processes.redaction import RedactedRecord, RedactingStream
from qehost.secret import Secret

SECRET = "fedcba9876543210"


@pytest.fixture(autouse=True)
def known() -> None:
    Secret(SECRET)


def record(text: str, *args: object, error: Exception | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return RedactedRecord("x", logging.INFO, "x.py", 1, text, args, info)


def test_a_record_is_redacted_for_every_formatter() -> None:
    made = record("it is %s", SECRET, error=ValueError(f"no {SECRET}"))
    for formatter in (logging.Formatter(), logging.Formatter("%(name)s %(message)s")):
        text = formatter.format(made)
        assert SECRET not in text
        assert "it is ••••\nValueError: no ••••" in text
    assert record("nothing of it").exc_text is None


def test_what_is_printed_is_redacted_and_all_else_is_the_streams_own() -> None:
    written = io.StringIO()
    stream = RedactingStream(written)
    print("one", SECRET, file=stream)
    stream.writelines(["two\n", f"{SECRET}\n"])
    assert stream.write(SECRET) == 16
    assert written.getvalue() == "one ••••\ntwo\n••••\n••••"
    assert not stream.isatty()
    with pytest.raises(io.UnsupportedOperation):
        stream.fileno()
