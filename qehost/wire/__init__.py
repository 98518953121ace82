"""Text of the stream → typed messages.  No I/O.

`decoding` is the way in, `shapes` what msgspec fills in C, and `lenient` the careful way for what
the fast one refuses.
"""

from qehost.wire.decoding import (
    Decoded,
    Outer,
    Shape,
    decode,
    decode_object,
    detail,
    glance,
    push_message,
    read_inner,
    read_outer,
    unreadable,
)

__all__ = [
    "Decoded",
    "Outer",
    "Shape",
    "decode",
    "decode_object",
    "detail",
    "glance",
    "push_message",
    "read_inner",
    "read_outer",
    "unreadable",
]
