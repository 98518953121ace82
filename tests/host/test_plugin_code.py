"""What plugins may do to whoever runs their code."""

from __future__ import annotations

import os

import pytest

from qehost.host.plugin_code import describe_error, exit_if_forked


def with_notes(error: Exception, *notes: str) -> Exception:
    for note in notes:
        error.add_note(note)
    return error


class Nasty(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no"), "ValueError: no"),
        (ValueError(), "ValueError"),
        (Nasty(), "Nasty"),
        (with_notes(ValueError("no"), "row 7", "of 9"), "ValueError: no; row 7; of 9"),
    ],
)
def test_an_error_is_told_by_its_type_and_its_text_as_far_as_it_has_one(
    error: Exception, text: str
) -> None:
    assert describe_error(error) == text


def test_a_fork_ends_and_the_process_itself_does_not() -> None:
    process = os.getpid()
    exit_if_forked(process)
    if (fork := os.fork()) == 0:
        try:
            exit_if_forked(process)
        finally:
            os._exit(7)  # it has not ended
    _, status = os.waitpid(fork, 0)
    assert os.waitstatus_to_exitcode(status) == 1
