"""What is done to the bytes of a good file: damage, which knows nothing of formats, and forgery, which does.

Everything is drawn from one `random.Random`: a seed names a file.
"""

import io
import json
import re
import struct
import zipfile
import zlib

import numpy as np

#: code that would leave a file behind, if anything ran it
PLANTED = "__import__('pathlib').Path('PLANTED').touch()"
NAMES = [
    f"a\n    {PLANTED}\n    #",
    f'"); {PLANTED}; ("',
    "</title><script>x</script>",
    "\x1b[2J",
    "\x00",
    "\ud800",
    "\u202eabc",
    "../../x",
    "",
    "n" * 10_000,
    "µ",
    "None",
    "a/b",
    "__class__",
    "=cmd()",
]
NUMBERS = [0, -1, 1, 2, 3, 7, 255, 1 << 16, 1 << 31, (1 << 31) - 1, 1 << 40, 1 << 62, 1 << 63, 1 << 64, 10**30, 10**299]
FLOATS = [0.0, -0.0, 0.5, -1.5, 1e-320, 1e300, 3.0]
SPECIAL = [float("nan"), float("inf"), float("-inf")]


def value(rng):
    """Anything that JSON can hold."""
    pick = rng.randrange(14)
    if pick < 3:
        return rng.choice(NUMBERS) * rng.choice([1, 1, -1])
    if pick < 5:
        return rng.choice(FLOATS if rng.random() < 0.7 else SPECIAL)
    if pick < 8:
        return rng.choice(NAMES)
    if pick == 8:
        return rng.choice([None, True, False])
    if pick == 9:
        return [value(rng) for _ in range(rng.randrange(4))]
    if pick == 10:
        return {rng.choice([*NAMES, "name", "config", "class_name"]): value(rng) for _ in range(rng.randrange(3))}
    if pick == 11:
        deep = value(rng) if rng.random() < 0.2 else 0
        for _ in range(rng.choice([3, 60, 400])):
            deep = [deep] if rng.random() < 0.5 else {"a": deep}
        return deep
    if pick == 12:
        return [rng.choice([0, 1, 1.5, "a"])] * rng.choice([10, 1000, 50_000])
    return rng.choice(["float32", "float16", "object", "V1000000", "relu", "glorot_uniform", "keras.layers", "Dense"])


# Damage.


def damaged(data, rng):
    """The bytes, changed in one to three places by something that knows nothing of formats."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if not data:
            break
        at, much = rng.randrange(len(data)), rng.choice([1, 2, 4, 8, 64, max(len(data) // 3, 1)])
        what = rng.randrange(10)
        if what < 3:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 3:
            data[at : at + much] = rng.randbytes(min(much, len(data) - at))
        elif what == 4:
            del data[at:]
        elif what == 5:
            del data[at : at + much]
        elif what == 6:
            data[at:at] = rng.randbytes(much)
        elif what == 7:
            data[at:at] = data[at : at + much] * rng.choice([1, 3])
        elif what == 8:
            size = rng.choice([1, 2, 4, 8])
            number = rng.choice([0, (1 << 8 * size) - 1, 1 << (8 * size - 1), 1, 255])
            data[at : at + size] = number.to_bytes(size, rng.choice(["little", "big"]))
        else:
            other = rng.randrange(len(data))
            a, b = bytes(data[at : at + much]), bytes(data[other : other + much])
            data[other : other + len(a)], data[at : at + len(b)] = a, b
    return bytes(data)


# Forgery.


def changed_json(tree, rng):
    """A tree of lists and dicts with one to four changes."""
    tree = json.loads(json.dumps(tree))
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        places = []
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, (dict, list)):
                for key in node if isinstance(node, dict) else range(len(node)):
                    places.append((node, key))
                    waiting.append(node[key])
        if not places:
            return value(rng)
        node, key = rng.choice(places)
        what = rng.randrange(10)
        if what < 5:
            old = node[key]
            if isinstance(old, (int, float)) and not isinstance(old, bool) and rng.random() < 0.6:
                node[key] = rng.choice([*NUMBERS, *FLOATS, *SPECIAL]) * rng.choice([1, -1])
            elif isinstance(old, str) and rng.random() < 0.6:
                node[key] = rng.choice(NAMES)
            else:
                node[key] = value(rng)
        elif what == 5:
            del node[key]
        elif what == 6:
            other, place = rng.choice(places)
            node[key] = json.loads(json.dumps(other.get(place) if isinstance(other, dict) else 0))
        elif what == 7 and isinstance(node, list):
            node[key:key] = [node[key]] * rng.choice([1, 2, 100])
        elif what == 8 and isinstance(node, dict):
            node[rng.choice(NAMES)] = node.pop(key)
        elif isinstance(node, dict):
            node[rng.choice(["name", "shared_object_id", "trainable", "dtype", "module", "seed", "extra"])] = value(rng)
    return tree


def text_of(tree, rng):
    """A JSON text, now and then one that no writer makes."""
    try:
        text = json.dumps(tree).encode()
    except (ValueError, RecursionError):
        text = b"{}"
    what = rng.randrange(20)
    if what == 0:
        return text.replace(b"}", b',"a":1,"a":2}', 1)
    if what == 1:
        return text.replace(b"1", b"9" * rng.choice([40, 5000]), 1)
    if what == 2:
        return b"[" * rng.choice([10, 1000, 100_000])
    if what == 3:
        return b"\xff\xfe" + text
    return text


def sealed_safetensors(data):
    """The file with the right checksum in the place of the one it has, if it has one."""
    found = re.search(rb'"checksum":"([0-9a-f]{8})"', data)
    if found is None:
        return data
    a, b = found.span(1)
    blank = data[:a] + b"0" * 8 + data[b:]
    return data[:a] + b"%08x" % zlib.crc32(blank[8:]) + data[b:]


def sealed_hdf5(data):
    """The file with a right checksum at its end."""
    return data + b"graphnet%08x" % zlib.crc32(data)


def checksums_hold(data):
    """Whether all checksums that a file of graphnet has are there and right; computed without the readers."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inner = [archive.read(name) for name in archive.namelist() if name.endswith(".safetensors")]
            return archive.testzip() is None and all(map(checksums_hold, inner))
    if data[:8] == b"\x89HDF\r\n\x1a\n":
        return sealed_hdf5(data[:-16]) == data
    return data[:2] == b"\x1f\x8b" or (b'"checksum":"' in data and sealed_safetensors(data) == data)


def changed_safetensors(data, rng):
    """One that has its checksum still has the right one in nine of ten cases."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    body = data[8 + length :]
    if rng.random() < 0.7:
        header = changed_json(header, rng)
    if rng.random() < 0.3:
        body = damaged(body, rng)
    if rng.random() < 0.1 and isinstance(header, dict):
        header["more"] = {"dtype": "F32", "shape": [1] * rng.choice([40, 20_000]), "data_offsets": [0, 4]}
    text = text_of(header, rng).replace(b'"checksum": "', b'"checksum":"')
    size = len(text) if rng.random() < 0.9 else rng.choice(NUMBERS)
    made = (size % (1 << 64)).to_bytes(8, "little") + text + body
    return sealed_safetensors(made) if rng.random() < 0.9 else made


def changed_npy(data, rng):
    array = np.load(io.BytesIO(data))
    what = rng.randrange(8)
    if what == 0:
        header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    elif what == 1:
        header = {"descr": "<f4", "fortran_order": False, "shape": tuple(rng.choice(NUMBERS) for _ in range(3))}
    elif what == 2:
        text = rng.choice([PLANTED, "(" * 9000, "{'a':" * 2000, "[]", "{'descr': '<f4', 'fortran_order': 0}"])
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()
    else:
        kind = rng.choice(["<f8", ">f4", "<i4", "|b1", "<c8", "<f2", "|u1"])
        buffer = io.BytesIO()
        changed = array.astype(kind)
        np.save(buffer, changed.T if what == 3 else changed.reshape(-1) if what == 4 else changed)
        return buffer.getvalue()
    text = (repr(header) + "\n").encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + rng.randbytes(64)


def changed_hdf5(data, rng):
    import h5py

    ours = data[-16:-8] == b"graphnet"
    buffer = io.BytesIO(data[:-16] if ours else data)
    with h5py.File(buffer, "r+") as file:
        paths = []
        file.visit(lambda p: paths.append(p) if isinstance(file[p], h5py.Dataset) else None)
        for _ in range(rng.choice([1, 1, 2])):
            path = rng.choice(paths)
            what = rng.randrange(12)
            array = file[path][()] if path in file and isinstance(file.get(path), h5py.Dataset) else np.zeros(2, "f4")
            if what < 8 and path in file:
                del file[path]
            if what == 0:
                file.create_dataset(path, array.shape, "f4", chunks=tuple(max(n, 1) for n in array.shape) or None)
            elif what == 1:
                file.create_dataset(path, (4,), "f4", chunks=(1 << rng.randrange(10, 29),), maxshape=(None,))
            elif what == 2:
                file.create_dataset(path, (rng.choice([1, 1 << 20, 1 << 40]),), "f4", chunks=(1 << 10,))
            elif what == 3 and array.ndim:
                made = file.create_dataset(path, array.shape, "f4", chunks=array.shape, compression="gzip")
                made.id.write_direct_chunk((0,) * array.ndim, zlib.compress(bytes(rng.choice([1, 1 << 24])), 9))
            elif what == 4:
                file[path] = rng.choice([h5py.SoftLink("/"), h5py.ExternalLink("/etc/passwd", "/")])
            elif what == 5:
                file.create_dataset(path, data=np.array([rng.choice(["x", "y" * 1000])], dtype="S"))
            elif what == 6:
                file.create_dataset(path, (2,), "f4", external=[("/etc/hostname", 0, 8)])
            elif what == 7:
                file.create_dataset(path, data=array.astype(rng.choice(["f8", "i4", "f2", ">f4", "u1"])))
            elif what == 8:
                file.require_group("circle")["again"] = file["/"]
            elif what == 9:
                file.attrs["dtype"] = "bfloat16"
            elif what == 10:
                file[f"more/{rng.randrange(99)}"] = np.zeros(rng.choice([0, 1, 9]))
            elif path in file:
                file[path][...] = rng.choice([np.nan, 7.0])
    made = buffer.getvalue()
    return sealed_hdf5(made) if ours and rng.random() < 0.9 else made


def changed_zip(data, rng):
    """An archive of the same members, one of which is changed, or is not what it says."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [(name, archive.read(name)) for name in archive.namelist()]
    what = rng.randrange(12)
    at = rng.randrange(len(parts))
    name, content = parts[at]
    if what < 7:
        parts[at] = (name, changed_member(name, content, rng))
    elif what == 7:
        parts.append((rng.choice([name, f"../{name}", "extra", "a" * 5000, "C:\\x", "x/../../y", "/etc/x"]), content))
    elif what == 8:
        del parts[at]
    elif what == 9:
        parts[at] = (name, bytes(rng.choice([0, 1 << 10, 1 << 24])))
    elif what == 10:
        parts += [(f"more{n}", bytes(1 << 16)) for n in range(rng.choice([10, 300]))]
    else:
        parts[at] = (rng.choice(["x", "a\nb", name.upper()]), content)
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if rng.random() < 0.4 else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for word, inner in parts:
            archive.writestr(word, inner)
    made = buffer.getvalue()
    if what == 11 or rng.random() < 0.1:
        # Sizes and places in the headers that are not so.
        made = bytearray(made)
        for mark in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"):
            place = made.find(mark)
            if place >= 0 and rng.random() < 0.7:
                spot = place + rng.randrange(6, 40)
                made[spot : spot + 4] = struct.pack("<L", rng.choice(NUMBERS) % (1 << 32))
        made = bytes(made)
    return made


def changed_member(name, content, rng):
    if name.endswith(".json"):
        return text_of(changed_json(json.loads(content), rng), rng)
    if name.endswith(".safetensors"):
        return changed_safetensors(content, rng)
    if name.endswith(".npy"):
        return changed_npy(content, rng)
    if name.endswith(".h5"):
        return changed_hdf5(content, rng) if rng.random() < 0.6 else damaged(content, rng)
    return damaged(content, rng)


def changed_idx(data, rng):
    data = bytearray(data)
    what = rng.randrange(5)
    if what == 0:
        data[2:4] = bytes([rng.choice([8, 9, 11, 12, 13, 14, 0, 255]), rng.choice([0, 1, 2, 3, 4, 200])])
    elif what == 1:
        place = 4 * rng.randrange(1, 4)
        data[place : place + 4] = struct.pack(">I", rng.choice(NUMBERS) % (1 << 32))
    elif what == 2:
        data = bytearray(b"\0\0\x08\x03" + struct.pack(">3I", 1 << 10, 1 << 10, 32) + bytes(1 << 25))
    elif what == 3:
        data += bytes(rng.choice([1, 100]))
    else:
        data = bytearray(damaged(data, rng))
    return bytes(data)
