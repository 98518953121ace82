"""Histories of a venue, made from a seed, against a model that knows what happened.

::

    story.py      what happens: orders, outages, kills, clocks; and how the venue writes.  No I/O
    making.py     a story from a seed
    venue.py      what the venue pushes, and what its REST says at a given time.  No I/O
    listener.py   the connection process itself, with time, sockets and threads simulated
    judge.py      what was told against what happened
    telling.py    a story in plain text
    shrinking.py  the shortest story that still fails

The model is made from the venue's protocol, and not from the local venue that qehost brings along,
which may misunderstand the venue in the same way as the rest of qehost does.

`python -m tests.histories --help` runs many of them.
"""
