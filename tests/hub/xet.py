"""The part of the Xet protocol that a server needs to take an upload and give it back whole.

The client cuts files into chunks, packs chunks into xorbs, uploads these, and then a shard that
says which chunks of which xorbs make which file. Layouts: https://huggingface.co/docs/xet, the
pages on xorbs and shards. All integers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import pyarrow

_CHUNK_HEADER = 8  # version, compressed size (3 bytes), scheme, uncompressed size (3 bytes)
_XORB_FOOTER = b"XETBLOB"
_SHARD_HEADER = 48
_ENTRY = 48  # every record of a shard's file section
_BOOKEND = b"\xff" * 32
_WITH_VERIFICATION = 1 << 31
_WITH_METADATA = 1 << 30


def hash_name(digest: bytes) -> str:
    """The form of a 32-byte hash in addresses: four 64-bit numbers in hexadecimal."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", digest))


def chunks(xorb: bytes) -> list[bytes]:
    """The uncompressed chunks of an uploaded xorb."""
    contents, at = [], 0
    while at < len(xorb) and not xorb.startswith(_XORB_FOOTER, at):
        packed = int.from_bytes(xorb[at + 1 : at + 4], "little")
        scheme = xorb[at + 4]
        size = int.from_bytes(xorb[at + 5 : at + 8], "little")
        at += _CHUNK_HEADER
        contents.append(_unpack(xorb[at : at + packed], scheme, size))
        at += packed
    return contents


def _unpack(packed: bytes, scheme: int, size: int) -> bytes:
    if scheme == 0:
        return packed
    content = pyarrow.decompress(packed, size, codec="lz4", asbytes=True)  # an LZ4 frame
    if scheme == 1:
        return content
    if scheme == 2:  # bytes grouped by their place modulo four before compression
        grouped, at = bytearray(size), 0
        for lane in range(4):
            length = len(range(lane, size, 4))
            grouped[lane::4] = content[at : at + length]
            at += length
        return bytes(grouped)
    raise ValueError(f"unknown compression scheme {scheme} of a xorb's chunk")


def files(shard: bytes, xorb: Callable[[str], bytes]) -> Iterator[bytes]:
    """The contents of the files that a shard describes; `xorb` gives a stored xorb by its hash."""
    at = _SHARD_HEADER
    while not shard.startswith(_BOOKEND, at):
        flags, segments = struct.unpack_from("<II", shard, at + 32)
        at += _ENTRY
        content = bytearray()
        for index in range(segments):
            entry = at + index * _ENTRY
            _, size, first, last = struct.unpack_from("<4I", shard, entry + 32)
            part = b"".join(chunks(xorb(hash_name(shard[entry : entry + 32])))[first:last])
            if len(part) != size:
                raise ValueError(f"a segment of {size} bytes has chunks of {len(part)}")
            content += part
        at += segments * _ENTRY
        if flags & _WITH_VERIFICATION:
            at += segments * _ENTRY
        if flags & _WITH_METADATA:
            at += _ENTRY
        yield bytes(content)
