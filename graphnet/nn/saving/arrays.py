"""Named arrays as bytes: NumPy's `.npz` and `.safetensors`, both read and written with NumPy alone.

A safetensors file is the length of a JSON text (8 bytes, little end first), the text, which gives dtype, shape and
place of each array, and the arrays' bytes one after the other (https://huggingface.co/docs/safetensors). Readers
compare every size with the bytes that are there before they make an array; there is no pickle.
"""

from __future__ import annotations

import io
import json
import math
import zlib
from typing import Any

import numpy as np

from graphnet.nn.saving.archives import TEXT, packed, parsed, unpacked
from graphnet.nn.saving.errors import Refused

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
WORDS = {np.dtype(code): word for word, code in DTYPES.items()}
#: the words for checksums (CRC-32) among those about a file: of the header, with zeros in its place, and the arrays;
#: and, in files of earlier versions, of the arrays alone
WHOLE, CHECKSUM = "checksum", "crc32"
#: the word that says whose file it is: one of ours without a checksum has lost it
WRITER, OURS = "writer", "graphnet"
NONE = "0" * 8
#: the longest header of an array in a `.npz` file
HEADER = 10_000
#: axes of an array, and what its sizes give multiplied, where one is 0 without it
AXES, LARGEST = 32, 1 << 58


def to_safetensors(arrays: dict[str, np.ndarray], about: dict[str, str] | None = None) -> bytes:
    """The arrays, and a few words about them, as a safetensors file. One of the words is a checksum of all the rest."""
    header: dict[str, Any] = {"__metadata__": {**(about or {}), WRITER: OURS, WHOLE: NONE}}
    parts, place = [], 0
    for name, given in arrays.items():
        array = np.asarray(given).astype(np.asarray(given).dtype.newbyteorder("<"), order="C", copy=False)
        word = WORDS.get(array.dtype)
        if word is None:
            raise ValueError(f"{name}: safetensors has no word for the dtype {array.dtype}.")
        parts.append(array.tobytes())
        header[name] = {"dtype": word, "shape": list(array.shape), "data_offsets": [place, place + array.nbytes]}
        place += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    checksum = zlib.crc32(text)
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    text = text.replace(_word(NONE), _word(f"{checksum:08x}"), 1)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def _word(checksum: str) -> bytes:
    """The checksum as the header has it."""
    return f'"{WHOLE}":"{checksum}"'.encode()


def from_safetensors(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8 or length > TEXT:
        raise Refused(f"it has {len(data):,} bytes and declares a header of {length:,}.")
    header = parsed(data[8 : 8 + length], "its header")
    if not isinstance(header, dict):
        raise Refused("its header is no dict.")
    about = header.pop("__metadata__", None)
    body = memoryview(data)[8 + length :]
    if about is not None and (not isinstance(about, dict) or any(type(v) is not str for v in about.values())):
        raise Refused("its __metadata__ is no dict of texts.")
    _check_sums(data[8 : 8 + length], about or {}, body)
    arrays: dict[str, np.ndarray] = {}
    spans = []
    for name, entry in header.items():
        try:
            word, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        except (TypeError, KeyError, ValueError):
            raise Refused(f"its entry for {name!r:.100} needs dtype, shape and data_offsets: {entry!r:.80}.") from None
        numbers = [*shape, begin, end]
        if any(type(n) is not int or n < 0 for n in numbers) or not begin <= end <= len(body):
            raise Refused(
                f"its array {name!r:.100} is said to lie at {begin!r:.40} to {end!r:.40} of {len(body):,} bytes."
            )
        if len(shape) > AXES or math.prod(n for n in shape if n) > LARGEST:
            raise Refused(f"its array {name!r:.100} has {len(shape)} axes: {shape!r:.80}.")
        bfloat = word == "BF16"
        if not isinstance(word, str) or not (bfloat or word in DTYPES):
            raise Refused(f"its array {name!r:.100} has the unknown dtype {word!r:.40}.")
        kind = np.dtype("<u2" if bfloat else DTYPES[word])
        if math.prod(shape) * kind.itemsize != end - begin:
            raise Refused(f"its array {name!r:.100} is said to be {word}{list(shape)} in {end - begin:,} bytes.")
        array = np.frombuffer(body[begin:end], kind).reshape(shape)
        spans.append((begin, end))
        arrays[name] = (array.astype("<u4") << 16).view("<f4") if bfloat else array.copy()
    place = 0
    for begin, end in sorted(spans):
        if begin != place:
            raise Refused("its arrays overlap, or leave gaps.")
        place = end
    if place != len(body):
        raise Refused(f"it has {len(body) - place:,} bytes that belong to no array.")
    return arrays


def _check_sums(text: bytes, about: dict[str, str], body: memoryview) -> None:
    """Refuse a file that is not what its checksum is of, if it has one."""
    found = about.get(WHOLE)
    if found is not None:
        given = _word(found)
        blank = text.replace(given, _word(NONE), 1)
        if text.count(given) != 1 or f"{zlib.crc32(body, zlib.crc32(blank)):08x}" != found:
            raise Refused("it is damaged: it is not what its checksum is of.")
    elif about.get(WRITER) == OURS:
        raise Refused("it is damaged: graphnet wrote it with a checksum, which is missing.")
    elif about.get(CHECKSUM) not in (None, f"{zlib.crc32(body):08x}"):
        raise Refused("it is damaged: its arrays are not those that its checksum is of.")


def to_npz(arrays: dict[str, np.ndarray]) -> bytes:
    """The arrays as a `.npz` file, which `numpy.load` reads."""
    members = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
        members[f"{name}.npy"] = buffer.getvalue()
    return packed(members)


def from_npz(data: bytes, room: int = 0) -> dict[str, np.ndarray]:
    """The arrays of a `.npz` file, which may be packed if they have no more than `room` bytes. No pickled objects."""
    arrays = {}
    for name, content in unpacked(data, room=room).items():
        if not name.endswith(".npy"):
            raise Refused(f"its member {name!r:.100} is no array.")
        arrays[name.removesuffix(".npy")] = _npy(name, content)
    return arrays


def _npy(name: str, content: bytes) -> np.ndarray:
    buffer = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(buffer)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, kind = read(buffer, max_header_size=HEADER)
    except (Exception, MemoryError) as error:  # what Python's parser raises for a text of 10,000 characters
        raise Refused(f"its array {name!r:.100} has a damaged header: {error!r:.200}.") from None
    if kind.hasobject or kind.kind not in "biuf":
        raise Refused(f"its array {name!r:.100} holds {kind}, not numbers: such data can run code, and is not read.")
    rest = content[buffer.tell() :]
    if any(type(n) is not int or n < 0 for n in shape) or len(shape) > AXES or math.prod(filter(None, shape)) > LARGEST:
        raise Refused(f"its array {name!r:.100} has the shape {shape!r:.80}.")
    if math.prod(shape) * kind.itemsize != len(rest):
        raise Refused(f"its array {name!r:.100} is said to be {kind}{list(shape)} in {len(rest):,} bytes.")
    return np.frombuffer(rest, kind).reshape(shape, order="F" if fortran else "C").copy()
