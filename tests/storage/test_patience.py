"""What a disk does not allow now is tried again for a while."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from qehost.errors import JournalError
from qehost.storage import patience
from qehost.storage.patience import patiently
from qehost.storage.private_files import trouble


def failing(code: int, times: int) -> list[JournalError]:
    errors = []
    for _ in range(times):
        try:
            raise OSError(code, "no")
        except OSError as error:
            found = trouble(Path("x"), error)
            found.__cause__ = error
            errors.append(found)
    return errors


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "EVERY", 0.0)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EROFS, errno.ENOSPC])
def test_it_is_tried_until_it_can_be_done_and_that_is_said_once(code: int) -> None:
    errors, said = failing(code, 3), list[str]()

    def action() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert patiently(action, said.append) == "done"
    assert len(said) == 1
    assert "it is tried again for 10 s" in said[0]


def test_what_would_not_help_is_not_waited_for() -> None:
    said: list[str] = []
    [error] = failing(errno.ELOOP, 1)

    def action() -> None:
        raise error

    with pytest.raises(JournalError):
        patiently(action, said.append)
    assert said == []


def test_it_is_given_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 0.05)
    [error] = failing(errno.EPERM, 1)

    def action() -> None:
        raise error

    with pytest.raises(JournalError):
        patiently(action, lambda _: None)
