"""HDF5 as Keras writes it, through h5py: a group for each holder of weights, with a dataset for each of its weights.

Only plain numbers in plain datasets are read. Links that lead into other files, virtual datasets and filters that are
not part of HDF5 itself are refused, and so is a dataset whose size the file has not the bytes for.

HDF5 has no checksum of a whole file. Ours ends in one: readers of HDF5 do not look at what follows the file. An
attribute says that it must be there, so that a file that was cut short is not taken for one of another program.
"""

from __future__ import annotations

import io
import math
import zlib
from typing import Any

import numpy as np

from graphnet.escape import line
from graphnet.extras import install
from graphnet.nn.saving.archives import EXPANSION, FLOOR
from graphnet.nn.saving.errors import Refused
from graphnet.optional import optional

#: what the checksum (CRC-32) of a file of weights stands behind, at its end
MARK = b"graphnet"
SEALED = "graphnet_checksum"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
OBJECTS, DEEP = 200_000, 1_000
DEFLATE, SHUFFLE, FLETCHER = 1, 2, 3
#: bytes of a chunk, whatever the size of its dataset
CHUNK = 1 << 20


def h5py_module() -> Any:
    """h5py, or an error that says how to get it."""
    try:
        return optional("h5py")
    except ImportError:
        raise ImportError(
            f"Keras' files hold HDF5, which h5py reads and writes: {install('keras')}. "
            "Files that end in .graphnet, .safetensors or .npz need nothing."
        ) from None


def to_hdf5(groups: dict[str, tuple[str | None, list[np.ndarray]]], checksum: bool = False) -> bytes:
    """For each path of a group the name of its holder, and its arrays, numbered from 0; at the end a checksum."""
    buffer = io.BytesIO()
    with h5py_module().File(buffer, "w") as file:
        for path, (name, arrays) in groups.items():
            group = file.create_group(f"{path}/vars" if path else "vars")
            if name is not None:
                group.attrs["name"] = line(name)
            for place, array in enumerate(arrays):
                group[str(place)] = array
        if checksum:
            file.attrs[SEALED] = "CRC-32 behind the end of the file"
    content = buffer.getvalue()
    return content + MARK + b"%08x" % zlib.crc32(content) if checksum else content


def from_hdf5(data: bytes) -> dict[str, np.ndarray]:
    """All datasets of a file, by their paths."""
    if not data.startswith(SIGNATURE):
        raise Refused("it is no HDF5 file.")
    sealed = data[-16:-8] == MARK
    if sealed:
        if data[-8:] != b"%08x" % zlib.crc32(data[:-16]):
            raise Refused("it is damaged: it is not what its checksum is of.")
        data = data[:-16]
    h5py = h5py_module()
    arrays: dict[str, np.ndarray] = {}
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            if SEALED in file.attrs and not sealed:
                raise Refused("it is damaged: graphnet wrote it with a checksum, which is missing.")
            waiting = [("", file, 0)]
            seen = total = 0
            known = {h5py.h5o.get_info(file.id).addr}
            while waiting:
                path, group, depth = waiting.pop()
                for key in group:
                    seen += 1
                    if seen > OBJECTS or depth > DEEP:
                        raise Refused("its groups have no end.")
                    if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                        raise Refused(f"{path}/{key} is a link that leads elsewhere.")
                    if not key.isprintable():
                        raise Refused(f"{key!r:.100} is no name.")
                    item = group[key]
                    # What stands in two places could stand in a circle, or double at each level.
                    address = h5py.h5o.get_info(item.id).addr
                    if address in known:
                        raise Refused(f"{path}/{key} stands in another place, too.")
                    known.add(address)
                    where = f"{path}/{key}" if path else key
                    if isinstance(item, h5py.Group):
                        waiting.append((where, item, depth + 1))
                    elif isinstance(item, h5py.Dataset):
                        total += _check(where, item, data)
                        if total > max(FLOOR, EXPANSION * len(data)):
                            raise Refused(f"its datasets claim {total:,} bytes; the file has {len(data):,}.")
                        arrays[where] = _array(item)
    except (Refused, MemoryError):
        raise
    except Exception as error:  # what h5py raises depends on where the damage is
        raise Refused(f"its HDF5 is damaged: {line(error, 300)}") from error
    return arrays


def _check(where: str, item: Any, data: bytes) -> int:
    """The bytes of a dataset, once it is known that they are there."""
    kind = item.dtype
    if (kind.kind not in "biuf" or kind.itemsize > 16) and not _bfloat16(item):
        raise Refused(f"{where} holds {kind}, not numbers.")
    if item.is_virtual or item.external:
        raise Refused(f"{where} lies in another file.")
    layout = item.id.get_create_plist()
    filters = [layout.get_filter(n)[0] for n in range(layout.get_nfilters())]
    if not {DEFLATE, SHUFFLE, FLETCHER}.issuperset(filters):
        raise Refused(f"{where} is packed by a filter that is not HDF5's own.")
    if item.shape is None:
        raise Refused(f"{where} is empty.")
    size, stored = math.prod(item.shape) * kind.itemsize, item.id.get_storage_size()
    if size > (stored if item.chunks is None else max(FLOOR, EXPANSION * stored)):
        raise Refused(f"{where} claims {size:,} bytes, of which {stored:,} are there.")
    if item.chunks is not None and size:
        _check_chunks(where, item, data, filters)
    return size


def _check_chunks(where: str, item: Any, data: bytes, filters: list[int]) -> None:
    """Refuse chunks that are missing, that are far larger than their dataset, or that grow beyond their size."""
    chunk = math.prod(item.chunks) * item.dtype.itemsize
    if chunk > max(CHUNK, 4 * math.prod(item.shape) * item.dtype.itemsize):
        raise Refused(f"{where} has chunks of {chunk:,} bytes, for the shape {item.shape}.")
    wanted = math.prod(-(-n // m) for n, m in zip(item.shape, item.chunks, strict=True))
    count = item.id.get_num_chunks()
    if count != wanted:
        raise Refused(f"{where} has {count:,} chunks of {wanted:,}: the others were never written.")
    for number in range(count):
        found = item.id.get_chunk_info(number)
        packed = data[found.byte_offset : found.byte_offset + found.size]
        if len(packed) != found.size:
            raise Refused(f"{where} is cut short.")
        if found.filter_mask == 0 and DEFLATE in filters:
            # HDF5 itself would unpack whatever is there.
            unpacker = zlib.decompressobj()
            if len(unpacker.decompress(packed, chunk + 5)) > chunk + 4 or not unpacker.eof:
                raise Refused(f"{where} has a chunk that is larger than its {chunk:,} bytes, or damaged.")
        elif found.size > chunk + 4:
            raise Refused(f"{where} has a chunk of {found.size:,} bytes, not {chunk:,}.")


def _bfloat16(item: Any) -> bool:
    """Whether a dataset holds the upper halves of float32 numbers, as Keras marks them."""
    return item.dtype == np.dtype("V2") and item.attrs.get("dtype") == "bfloat16"


def _array(item: Any) -> np.ndarray:
    values = np.asarray(item[()])
    return (values.view("<u2").astype("<u4") << 16).view("<f4") if _bfloat16(item) else values
