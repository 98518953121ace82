"""How a command fails: one clear text on standard error, the documented exit code, no traceback."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec

import click

from qehost.errors import ConfigError, Error, UnknownPlugin
from qehost.logs import is_json
from qehost.printable import visible

__all__ = ["CONFIG_INVALID", "COULD_NOT_START", "USAGE", "failing_clearly"]

USAGE, COULD_NOT_START, CONFIG_INVALID = 2, 3, 4

log = logging.getLogger("qehost.cli")

P = ParamSpec("P")


def failing_clearly(function: Callable[P, None]) -> Callable[P, None]:
    """A command whose qehost errors become a text and an exit code."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except ConfigError as error:
            _end(CONFIG_INVALID, *error.mistakes)
        except UnknownPlugin as error:
            _end(USAGE, str(error))
        except Error as error:
            _end(COULD_NOT_START, str(error))
        except BrokenPipeError:
            raise  # The reader has enough: click's to end.
        except OSError as error:
            _drop_output()
            about = f"{error.filename}: " if error.filename else ""
            _end(COULD_NOT_START, f"{about}{error.strerror or error}")

    return wrapped


def _end(code: int, *texts: str) -> NoReturn:
    for text in texts:
        if is_json():
            log.critical("%s", text)
        else:
            # It may be the venue's.
            click.echo(f"qehost: {visible(text)}", err=True)
    sys.exit(code)


def _drop_output() -> None:
    """What could not be printed is not tried again by the interpreter, which would tell it anew."""
    try:
        sys.stdout.flush()
    except OSError:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
