"""Zip archives: made of stored members, and read only after everything that they declare has been checked."""

from __future__ import annotations

import io
import itertools
import json
import re
import struct
import zipfile
import zlib
from typing import Any

from graphnet.nn.saving.errors import Refused

#: the members that are read may be this many times larger than the file together, or any larger up to FLOOR bytes
EXPANSION, FLOOR = 20, 1 << 24
MEMBERS = 10_000
#: levels of nested lists and dicts in a JSON text, its bytes, and the values in it
DEPTH, TEXT, VALUES = 340, 1 << 26, 1_000_000
#: digits of a whole number in a JSON text
DIGITS = 300
#: the first moment that a zip can name: members carry no time, so that the same model gives the same bytes
EPOCH = (1980, 1, 1, 0, 0, 0)
#: the header in front of each member: signature, version, flags, method, time, date, checksum, sizes, lengths
LOCAL = struct.Struct("<4s5H3L2H")
ENCRYPTED, SIZES_FOLLOW, UTF8 = 1, 8, 1 << 11


def packed(members: dict[str, bytes]) -> bytes:
    """An archive of these members, stored as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def unpacked(data: bytes, wanted: Any = None, only: Any = None, optional: Any = (), room: int = 0) -> dict[str, bytes]:
    """The members of an archive, or those that are `wanted`; with `only`, there must be those and no others, but for
    the `optional` ones. Members may be as large as the file allows (EXPANSION, FLOOR), or up to `room` bytes together.

    Raises `Refused` for names that lead outside, doubles, links, encryption, members that overlap, that are not as
    large as they say, that have another checksum, or that are far larger than the file.
    """
    # Each entry of the list of members has this signature. The reader makes an object of each.
    if data.count(b"PK\x01\x02") > MEMBERS:
        raise Refused(f"it declares more than {MEMBERS:,} members.")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos, end = archive.infolist(), archive.start_dir
    names: set[str] = set()
    for info in infos:
        _check(info)
        if info.filename in names:
            raise Refused(f"it has the member {info.filename!r:.100} twice.")
        names.add(info.filename)
    if only is not None:
        for name in only:
            if name not in names:
                raise Refused(f"it has no {name}.")
        odd = sorted(names - {*only, *optional})
        if odd:
            raise Refused(f"it has the member {odd[0]!r:.100}, which does not belong there.")
    spans = sorted([(info.header_offset, *_place(data, info), info.filename) for info in infos])
    for (_, _, stop, name), (begin, _, _, other) in itertools.pairwise(spans):
        if begin < stop:
            raise Refused(f"its members {name!r:.100} and {other!r:.100} overlap.")
    if spans and spans[-1][2] > end:
        raise Refused(f"its member {spans[-1][3]!r:.100} is cut short.")
    places = {name: (begin, stop) for _, begin, stop, name in spans}
    chosen = [info for info in infos if not info.is_dir() and (wanted is None or info.filename in wanted)]
    claim, room = sum(info.file_size for info in chosen), max(FLOOR, EXPANSION * len(data), room)
    if claim > room:
        raise Refused(f"its members claim {claim:,} bytes; the file has {len(data):,}.")
    return {info.filename: _content(data[slice(*places[info.filename])], info) for info in chosen}


def _check(info: zipfile.ZipInfo) -> None:
    name = info.filename
    parts = name.rstrip("/").split("/")
    elsewhere = "\\" in name or ":" in name or any(part in ("", ".", "..") for part in parts)
    if elsewhere or not name.isprintable() or info.orig_filename != name:
        raise Refused(f"the name of its member {name!r:.100} leads elsewhere.")
    if (info.external_attr >> 16) & 0o170000 == 0o120000:
        raise Refused(f"its member {name!r:.100} is a link.")
    if info.flag_bits & ENCRYPTED:
        raise Refused(f"its member {name!r:.100} is encrypted.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(f"its member {name!r:.100} is compressed in an unusual way.")


def _place(data: bytes, info: zipfile.ZipInfo) -> tuple[int, int]:
    """Where the bytes of a member begin and end. The header in front of them must say what the list of members says."""
    start = info.header_offset
    header = data[start : start + LOCAL.size] if start >= 0 else b""
    if len(header) < LOCAL.size:
        raise Refused(f"its member {info.filename!r:.100} is cut short.")
    mark, _, flags, method, _, _, crc, packed_size, size, length, extra = LOCAL.unpack(header)
    begin = start + LOCAL.size + length + extra
    name = data[start + LOCAL.size : start + LOCAL.size + length]
    known = info.orig_filename.encode("utf-8" if info.flag_bits & UTF8 else "cp437", "replace")
    same = (mark, method, flags & ENCRYPTED, name) == (b"PK\x03\x04", info.compress_type, 0, known)
    if not flags & SIZES_FOLLOW:
        # Sizes of all ones stand elsewhere, in a form for files of any size.
        same &= (
            crc == info.CRC and packed_size in (info.compress_size, 0xFFFFFFFF) and size in (info.file_size, 0xFFFFFFFF)
        )
    if not same:
        raise Refused(f"it is damaged: what it says of its member {info.filename!r:.100} differs from place to place.")
    return begin, begin + info.compress_size


def _content(packed_bytes: bytes, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a member, of which no more are unpacked than it says it has."""
    content = packed_bytes
    whole = True
    if info.compress_type == zipfile.ZIP_DEFLATED:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        content = unpacker.decompress(packed_bytes, info.file_size + 1)
        whole = unpacker.eof and not unpacker.unused_data
    if not whole or len(content) != info.file_size:
        raise Refused(f"its member {info.filename!r:.100} is not of the {info.file_size:,} bytes that it says.")
    if zlib.crc32(content) != info.CRC:
        raise Refused(f"it is damaged: the checksum of its member {info.filename!r:.100} differs.")
    return content


def dumped(value: Any, **options: Any) -> bytes:
    """A JSON text that `parsed` reads. Raises `ValueError` for what is nested too deeply, or says too much."""
    try:
        deep = _deeper(value, DEPTH)
        text = "" if deep else json.dumps(value, **options)
    except RecursionError:
        deep = True
    if deep:
        raise ValueError("it can't be written to a file: models are nested in it too deeply.")
    content = text.encode()
    if _too_much(content):
        raise ValueError(
            f"it can't be written to a file: its configuration has {len(content):,} bytes. Arrays belong into weights."
        )
    return content


def _too_much(text: bytes) -> bool:
    return len(text) > TEXT or text.count(b",") + text.count(b"[") + text.count(b"{") > VALUES


def parsed(text: bytes, what: str) -> Any:
    """A JSON text as nested lists and dicts. Raises `Refused` for anything else, or one that is nested deeply, has very
    many values, or numbers of very many digits."""
    if _too_much(text):
        raise Refused(f"{what} has {len(text):,} bytes, and says more than a file of this kind can.")
    long = re.search(rb"\d{%d}" % DIGITS, text) is not None
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_int=_whole if long else None)
    except RecursionError:
        raise Refused(f"{what} is nested more than {DEPTH} deep.") from None
    except ValueError as error:
        raise Refused(f"{what} is no JSON text: {error}.") from None
    if _deeper(value, DEPTH):
        raise Refused(f"{what} is nested more than {DEPTH} deep.")
    return value


def _deeper(value: Any, limit: int) -> bool:
    """Whether lists and dicts are nested more than `limit` deep."""
    level = [value]
    for _ in range(limit):
        level = [
            part
            for item in level
            if isinstance(item, (dict, list, tuple))
            for part in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def _whole(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found
