"""Text of the stream → typed messages.  No I/O.

`decoding` is the way in, `v1` and `v2` are what msgspec fills in C, `lenient` is the careful way
for what the fast one refuses, and `details` has every field exactly.
"""

from qehost.events.wire.decoding import (
    BARE,
    Decoded,
    Outer,
    Shape,
    decode,
    decode_object,
    glance,
    inner_text,
    is_in_message,
    kind_at_sight,
    push_message,
    read_carefully,
    unreadable,
)
from qehost.events.wire.details import detail, object_detail

__all__ = [
    "BARE",
    "Decoded",
    "Outer",
    "Shape",
    "decode",
    "decode_object",
    "detail",
    "glance",
    "inner_text",
    "is_in_message",
    "kind_at_sight",
    "object_detail",
    "push_message",
    "read_carefully",
    "unreadable",
]
