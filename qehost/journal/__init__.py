"""The journal: every event, in numbered files, written before it is handed over.

`Journal` writes one account's, in one process; `JournalReader` reads it from any.
"""

from qehost.journal.layout import Batch, Damage
from qehost.journal.reader import JournalReader
from qehost.journal.writer import Journal

__all__ = ["Batch", "Damage", "Journal", "JournalReader"]
