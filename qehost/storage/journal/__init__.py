"""The journal: every event, in numbered files, written before it is delivered.

`Journal` writes one account's, in one process; `JournalReader` reads it from any.
"""

from qehost.storage.journal.layout import Batch, Damage
from qehost.storage.journal.reader import JournalReader
from qehost.storage.journal.writer import Journal

__all__ = ["Batch", "Damage", "Journal", "JournalReader"]
