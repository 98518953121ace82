"""A `Blotter` as bytes.  No I/O."""

from __future__ import annotations

from zlib import crc32

import msgspec

from qehost.blotter.entries import AccountEntry, ChildEntry, ChildStone, MasterEntry, MasterStone
from qehost.blotter.views import Dropped, Fill
from qehost.errors import DumpError

__all__ = ["Content", "decode", "encode"]

_MAGIC = b"qehost blotter "
VERSION = 1
_CHECK = 4  # bytes of the checksum

_encode = msgspec.msgpack.Encoder().encode


class Content(msgspec.Struct):
    """What is in a dump.  Fields are only added, with defaults."""

    as_of: int
    accounts: list[AccountEntry]
    masters: list[MasterEntry]
    master_stones: list[MasterStone]
    children: list[ChildEntry]
    child_stones: list[ChildStone]
    fills: list[tuple[int, Fill]]
    quotes: dict[str, str]
    dropped: Dropped
    last_raw: str
    last_ids: tuple[str, str, str, str] | None


_decode = msgspec.msgpack.Decoder(Content).decode


def encode(content: Content) -> bytes:
    body = _encode(content)
    return b"%b%d\n%b%b" % (_MAGIC, VERSION, crc32(body).to_bytes(_CHECK), body)


def decode(data: bytes) -> Content:
    """Raises DumpError."""
    head, newline, rest = data[: len(_MAGIC) + 10].partition(b"\n")
    if not newline or not head.startswith(_MAGIC) or not head[len(_MAGIC) :].isdigit():
        raise DumpError("it is no dump of a Blotter")
    version = int(head[len(_MAGIC) :])
    if version != VERSION:
        raise DumpError(f"it has format {version}, and this qehost reads {VERSION}")
    rest = data[len(head) + 1 :]
    check, body = rest[:_CHECK], memoryview(rest)[_CHECK:]
    if len(check) < _CHECK or crc32(body) != int.from_bytes(check):
        raise DumpError("it is damaged: its checksum is wrong")
    try:
        return _decode(body)
    except msgspec.DecodeError as error:
        raise DumpError(f"it is damaged: {error}") from None
