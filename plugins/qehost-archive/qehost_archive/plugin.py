"""The hooks.  Events come in batches, and are in the archive when `on_batch` returns."""

from __future__ import annotations

from collections.abc import Sequence

from qehost import Context, Retry
from qehost.messages import AnyEvent

from qehost_archive import settings
from qehost_archive.compaction import Compactor
from qehost_archive.dataset import Dataset

__all__ = ["Archive"]


class Archive:
    """Every event as Parquet, by kind and day.

    qehost holds its cursor until a batch is on the disk: after a crash the batch comes again, and
    what is there already is not written twice.
    """

    Config = settings.Config

    def __init__(self, config: settings.Config) -> None:
        self._config = config
        self._compactor: Compactor | None = None

    @property
    def max_events(self) -> int:
        return self._config.flush_rows

    @property
    def max_wait(self) -> float:
        return self._config.flush_minutes * 60

    def on_start(self, context: Context) -> None:
        try:
            folder = settings.folder_of(context)
            self._dataset = Dataset(folder, raw=self._config.raw)
            self._dataset.open()
        except OSError as error:
            raise Retry(reason=f"the archive can't be opened: {error}") from error
        context.logger.info("the archive is %s", folder)
        self._compactor = Compactor(
            self._dataset,
            lambda text: context.problem("compaction", text),
            context.logger,
        )

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        try:
            self._dataset.add(events)
        except OSError as error:
            raise Retry(reason=f"the archive can't be written: {error}") from error

    def on_stop(self, reason: str) -> None:
        if self._compactor is not None:
            self._compactor.stop()
            self._dataset.close()
