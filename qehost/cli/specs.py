"""`-p`, for every command that looks at plugins."""

from __future__ import annotations

import click

__all__ = ["specs_option"]

specs_option = click.option(
    "-p",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="NAME or MODULE[:ATTR] adds a plugin, no:NAME blocks one. May be repeated.",
)
