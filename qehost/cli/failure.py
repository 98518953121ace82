"""How a command fails: one clear text on standard error, the documented exit code, no traceback."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

import click

from qehost.errors import ConfigError, Error, UnknownPlugin

__all__ = ["CONFIG_INVALID", "COULD_NOT_START", "USAGE", "failing_clearly"]

USAGE, COULD_NOT_START, CONFIG_INVALID = 2, 3, 4

P = ParamSpec("P")


def failing_clearly(function: Callable[P, None]) -> Callable[P, None]:
    """A command whose qehost errors become a text and an exit code."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except ConfigError as error:
            for mistake in error.mistakes:
                click.echo(f"qehost: {mistake}", err=True)
            sys.exit(CONFIG_INVALID)
        except UnknownPlugin as error:
            click.echo(f"qehost: {error}", err=True)
            sys.exit(USAGE)
        except Error as error:
            click.echo(f"qehost: {error}", err=True)
            sys.exit(COULD_NOT_START)
        except BrokenPipeError:
            raise  # The reader has enough: click's to end.
        except OSError as error:
            told = error.strerror or str(error)
            click.echo(
                f"qehost: {error.filename}: {told}" if error.filename else f"qehost: {told}",
                err=True,
            )
            sys.exit(COULD_NOT_START)

    return wrapped
