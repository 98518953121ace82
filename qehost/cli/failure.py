"""How a command fails: with a text on standard error and the documented exit code, no traceback."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec

import click

from qehost.errors import ConfigError, Error, UnknownPlugin
from qehost.processes.escape import visible
from qehost.processes.logs import is_json
from qehost.secret import redact

__all__ = ["CONFIG_INVALID", "COULD_NOT_START", "USAGE", "handle_errors"]

USAGE, COULD_NOT_START, CONFIG_INVALID = 2, 3, 4

log = logging.getLogger("qehost.cli")

P = ParamSpec("P")


def handle_errors(function: Callable[P, None]) -> Callable[P, None]:
    """Turn what a command raises into a text on standard error and an exit code."""

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
            raise  # Whoever reads the output has closed it; click ends the program.
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
            # The text may come from the venue.
            click.echo(f"qehost: {visible(redact(text))}", err=True)
    sys.exit(code)


def _drop_output() -> None:
    """Discard what could not be written; at its end the interpreter would try and fail again."""
    try:
        sys.stdout.flush()
    except OSError:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), sys.stdout.fileno())
