"""Zip archives: made of stored members, and read only after everything that they declare has been checked."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from graphnet.nn.saving.errors import Refused

#: a member may be this much larger than what is stored of it, or any larger if it stays below FLOOR bytes
EXPANSION, FLOOR = 100, 1 << 24
MEMBERS = 10_000
#: levels of nested lists and dicts in a JSON text, and its bytes
DEPTH, TEXT = 100, 1 << 26
#: the first moment that a zip can name: members carry no time, so that the same model gives the same bytes
EPOCH = (1980, 1, 1, 0, 0, 0)


def packed(members: dict[str, bytes]) -> bytes:
    """An archive of these members, stored as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def unpacked(data: bytes, wanted: Any = None) -> dict[str, bytes]:
    """The members of an archive, or those that are `wanted`.

    Raises `Refused` for names that lead outside, doubles, links, encryption, and members that grow beyond all measure.
    """
    members: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        if len(infos) > MEMBERS:
            raise Refused(f"it declares {len(infos):,} members.")
        names: set[str] = set()
        for info in infos:
            _check(info, len(data))
            if info.filename in names:
                raise Refused(f"it has the member {info.filename!r} twice.")
            names.add(info.filename)
        if sum(info.compress_size for info in infos) > len(data):
            raise Refused("its members overlap.")
        for info in infos:
            if not info.is_dir() and (wanted is None or info.filename in wanted):
                content = archive.read(info)
                if len(content) != info.file_size:
                    raise Refused(f"its member {info.filename!r} has {len(content):,} bytes, not {info.file_size:,}.")
                members[info.filename] = content
    return members


def _check(info: zipfile.ZipInfo, size: int) -> None:
    name = info.filename
    parts = name.rstrip("/").split("/")
    if not name.isprintable() or "\\" in name or ":" in name or any(part in ("", ".", "..") for part in parts):
        raise Refused(f"the name of its member {name!r} leads elsewhere.")
    if (info.external_attr >> 16) & 0o170000 == 0o120000:
        raise Refused(f"its member {name!r} is a link.")
    if info.flag_bits & 1:
        raise Refused(f"its member {name!r} is encrypted.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(f"its member {name!r} is compressed in an unusual way.")
    if info.compress_size > size or (info.file_size > FLOOR and info.file_size > EXPANSION * info.compress_size):
        raise Refused(
            f"its member {name!r} claims {info.file_size:,} bytes, of which {info.compress_size:,} are there."
        )


def parsed(text: bytes, what: str) -> Any:
    """A JSON text as nested lists and dicts. Raises `Refused` for anything else, or one that is nested deeply."""
    if len(text) > TEXT:
        raise Refused(f"{what} has {len(text):,} bytes, more than {TEXT:,}.")
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_once)
    except RecursionError:
        raise Refused(f"{what} is nested more than {DEPTH} deep.") from None
    except ValueError as error:
        raise Refused(f"{what} is no JSON text: {error}.") from None
    level = [value]
    for _ in range(DEPTH):
        level = [
            part
            for item in level
            if isinstance(item, (dict, list))
            for part in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return value
    raise Refused(f"{what} is nested more than {DEPTH} deep.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found
