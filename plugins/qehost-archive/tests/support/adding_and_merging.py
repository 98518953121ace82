"""`python adding_and_merging.py FOLDER FIRST`: adds orders and merges their day, over and over.

Prints the number of an order when it is in the archive, the first one is FIRST.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from archives import START_MS
from qehost.testing import Events

from qehost_archive.compaction import Compaction
from qehost_archive.dataset import Dataset


def main(folder: Path, first: int) -> None:
    dataset = Dataset(folder)
    dataset.open()
    events = Events(start_ms=START_MS, step_ms=1)
    compaction = Compaction(dataset)
    for seq in itertools.count(first):
        # The one before comes again each time, as after a crash.
        orders = [events.order(seq=each) for each in (seq - 1, seq) if each >= 1]
        dataset.add(orders)
        print(seq, flush=True)
        if seq % 4 == 0:
            for partition in dataset.partitions():
                compaction.merge(partition)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
