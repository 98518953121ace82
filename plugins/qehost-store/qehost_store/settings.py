"""The plugin's settings, as they stand under `[plugins.store]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from qehost import Context
from qehost.secret import Secret
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

__all__ = ["Config", "database_url"]

DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
"""What a URL may begin with, and what SQLAlchemy is given for it."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the store writes."""

    url: Annotated[
        Secret,
        Meta(
            description="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE. "
            'A relative file counts from the folder of the settings\' file. "": store.db in the '
            "plugin's own folder."
        ),
    ] = Secret("")

    def __post_init__(self) -> None:
        # msgspec shows the text of a ValueError with the setting's place: it must not hold the URL.
        if self.url:
            try:
                _parsed(self.url.reveal())
            except ValueError as error:
                raise ValueError(f"url: {error}") from None

    def check(self, context: Context) -> str:
        """For `qehost check`: what is well.  Raises what is not."""
        if not self.url:
            return "it writes into store.db in its own folder"  # asking for that would make it
        from qehost_store.answering import answer  # the database's library is slow to import

        return answer(database_url(context))


def database_url(context: Context) -> URL:
    """The URL that the plugin's settings mean."""
    config: Config = context.config
    if not config.url:
        return URL.create("sqlite", database=str(context.state_dir / "store.db"))
    url = _parsed(config.url.reveal())
    if url.drivername == "sqlite":
        file = Path(url.database or "").expanduser()
        return url.set(database=str(context.settings_dir / file))
    return url


def _parsed(text: str) -> URL:
    """Raises ValueError, whose text has nothing of the URL."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("expected sqlite:///FILE or postgresql://USER@HOST/DATABASE") from None
    driver = DRIVERS.get(url.drivername)
    if driver is None:
        raise ValueError(
            "the database must be SQLite (sqlite:///FILE) or PostgreSQL "
            "(postgresql://USER@HOST/DATABASE)"
        )
    if driver == "sqlite" and (not url.database or url.database == ":memory:"):
        raise ValueError("sqlite:///FILE names a file: what is in memory alone would be lost")
    return url.set(drivername=driver)
