"""The present state of master orders, child orders, fills and streams, folded from events.

::

    from qehost.blotter import Blotter

    blotter = Blotter()
    change = blotter.add(event)
    if change.kind == "finished" and change.child is None:
        print(change.master.symbol, change.master.status, change.master.filled)

It is exact, has a bounded size, and gives the same result if an event comes twice.
`docs/plugins.md` has a worked example.
"""

from qehost.blotter.blotter import Blotter
from qehost.blotter.views import (
    Change,
    ChangeKind,
    ChildCounts,
    ChildState,
    Dropped,
    Fill,
    Link,
    MasterState,
)

__all__ = [
    "Blotter",
    "Change",
    "ChangeKind",
    "ChildCounts",
    "ChildState",
    "Dropped",
    "Fill",
    "Link",
    "MasterState",
]
