"""Data to learn from: the digits that come with the package, and files in the IDX format of MNIST and EMNIST."""

from __future__ import annotations

import gzip
import math
import struct
import sys
import zlib
from importlib import resources
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

#: what is packed may be this many times larger, or any larger up to FLOOR bytes: MNIST's images are 5 times
EXPANSION, FLOOR = 100, 1 << 24
_IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


#: Keras' names of data that it downloads
_DOWNLOADS = "mnist fashion_mnist cifar10 cifar100 imdb reuters california_housing boston_housing".split()


def __getattr__(name: str) -> object:
    hint = ""
    if name in _DOWNLOADS:
        hint = (
            ": graphnet downloads nothing. load_digits() gives the digits that come with it, load_idx_folder(folder) "
            "what the files of MNIST, Fashion-MNIST and EMNIST hold"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}", name=name)


class Split(NamedTuple):
    """Images and labels, for training and for testing."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def load_digits(test_fraction: float = 0.2, seed: int = 0, flat: bool = True) -> Split:
    """1,797 handwritten digits, 8x8 pixels scaled to [0, 1]: `(x_train, y_train, x_test, y_test)`.

    `x` is float32 of shape (n, 64), or (n, 8, 8) with `flat=False`; `y` int64, 0 to 9. The split is drawn by `seed`,
    with the same share of each class in both parts.

    The images are the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, UCI Machine
    Learning Repository, 1998), CC BY 4.0, as they come inside scikit-learn.

    Raises `ValueError` unless 0 < test_fraction < 1.

    >>> x_train, y_train, x_test, y_test = load_digits()
    >>> x_train.shape, x_test.shape, x_train.dtype
    ((1438, 64), (359, 64), dtype('float32'))
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction is between 0 and 1; received {test_fraction}")
    with resources.files("graphnet").joinpath("data/digits.npz").open("rb") as file, np.load(file) as packed:
        images = packed["images"].astype(np.float32) / np.float32(16)
        labels = packed["labels"].astype(np.int64)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    # Dealt out class by class, then cut: both parts get the same mixture.
    dealt = order[np.argsort(labels[order], kind="stable")]
    position = np.empty(len(labels))
    for digit in range(10):
        members = dealt[labels[dealt] == digit]
        position[members] = (np.arange(len(members)) + rng.random()) / len(members)
    ranked = np.argsort(position, kind="stable")
    count = math.floor(len(labels) * test_fraction)
    test, train = rng.permutation(ranked[:count]), rng.permutation(ranked[count:])
    x = images.reshape(len(images), 64) if flat else images
    return Split(x[train], labels[train], x[test], labels[test])


def load_idx(path: str | Path) -> np.ndarray:
    """The array in an IDX file, gzipped or not, in this machine's byte order.

    Raises `FileNotFoundError`, or `ValueError` for a file that is no IDX file, is cut short or damaged, or holds more
    or less than its header says, or that would unpack to more than 100 times its size (and 16 MB). No more is unpacked
    or allocated than there is data for, whatever the header claims.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "tiny-idx2-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes([1, 2, 3, 4, 5, 6]))
    ...     load_idx(path)
    array([[1, 2, 3],
           [4, 5, 6]], dtype=uint8)
    """
    path = Path(path)
    with path.open("rb") as file:
        # The content tells whether it is gzip: programs that unpack files do not always rename them.
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not zipped:
            return _read_idx(file, path)
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read_idx(unpacked, path, max(FLOOR, EXPANSION * path.stat().st_size))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path}: the gzip data is damaged or cut short ({error})") from None


def _read_idx(file: BinaryIO | gzip.GzipFile, path: Path, most: int = sys.maxsize) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_DTYPES:
        raise ValueError(
            f"{path}: not an IDX file: it should begin with two zero bytes, a type code and the number of axes; "
            f"it begins with {magic.hex(' ') or 'nothing'}"
        )
    dtype, rank = np.dtype(_IDX_DTYPES[magic[2]]), magic[3]
    if rank > 64:
        raise ValueError(f"{path}: the header says {rank} axes; NumPy's arrays have at most 64")
    header = file.read(4 * rank)
    if len(header) < 4 * rank:
        raise ValueError(
            f"{path}: cut short: the header of {rank} axes has {4 + 4 * rank} bytes, the file {4 + len(header)}"
        )
    shape = struct.unpack(f">{rank}I", header)
    claim = f"{path}: the header says {dtype.name}{list(shape)}"
    # Without the zeros, because NumPy refuses sizes whose product is too large even where an axis is empty.
    if math.prod(n for n in shape if n) * dtype.itemsize > sys.maxsize:
        raise ValueError(f"{claim}, which is too large for any array")
    expected = math.prod(shape) * dtype.itemsize
    if expected > most:
        raise ValueError(
            f"{claim}, which is {expected:,} bytes, more than {EXPANSION} times what is there: if it is meant "
            "to be so, unpack it with gunzip"
        )
    data = bytearray()
    # One byte more than expected, to see the end: there gzip compares its checksum.
    while block := file.read(min(1 << 20, expected + 1 - len(data))):
        data += block
    if len(data) != expected:
        follow = f"{len(data)} bytes follow it" if len(data) < expected else "more than that follow it"
        raise ValueError(f"{claim}, which is {expected} bytes; {follow}")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _find(folder: Path, names: list[str]) -> Path | None:
    for name in names:
        for ending in ("", ".gz"):
            for spelling in (name, name.replace("-idx", ".idx")):
                path = folder / (spelling + ending)
                if path.is_file():
                    return path
    return None


def load_idx_folder(folder: str | Path, letters: str | None = None) -> Split:
    """MNIST or EMNIST from a folder of its IDX files: `(x_train, y_train, x_test, y_test)`, images as stored in uint8.

    Found are `train-images-idx3-ubyte`, `t10k-images-idx3-ubyte`, and EMNIST's `emnist-<set>-train-images-idx3-ubyte`
    and so on, each with or without `.gz`. `x` is uint8 (n, rows, columns), `y` int64. EMNIST stores its images
    transposed; here they are upright.

    `letters`, say "adeghp", keeps those classes of EMNIST letters, numbered 0, 1, ... in the order given; without it
    the labels are as stored (1 to 26 for a to z).

    Raises `FileNotFoundError` naming what is missing, `ValueError` for letters that are none, stand twice or are asked
    of another set, or for images and labels that do not match or are not uint8.
    """
    folder = Path(folder)
    if letters is not None:
        _check_letters(letters)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    sets = ["emnist-letters", "emnist-balanced", "emnist-byclass", "emnist-bymerge", "emnist-digits", "emnist-mnist"]
    prefixes = [f"{name}-" for name in (sets[:1] if letters else sets)]
    parts: list[np.ndarray] = []
    emnist = ""
    for part, plain in (("train", "train"), ("test", "t10k")):
        pair = []
        for what, axes in (("images", 3), ("labels", 1)):
            names = [f"{plain}-{what}-idx{axes}-ubyte"]
            if emnist or letters:
                names = [f"{emnist or prefixes[0]}{part}-{what}-idx{axes}-ubyte"]
            else:
                names += [f"{prefix}{part}-{what}-idx{axes}-ubyte" for prefix in prefixes]
            path = _find(folder, names)
            if path is None:
                raise FileNotFoundError(f"{folder}: none of {', '.join(names)} is here (nor with .gz)")
            if path.name.startswith("emnist-"):
                emnist = path.name[: path.name.index(f"-{part}-") + 1]
            pair.append(load_idx(path))
        x, y = pair
        if x.ndim != 3 or y.ndim != 1 or len(x) != len(y):
            raise ValueError(
                f"{folder}: the {part} images have shape {x.shape}, their labels {y.shape}; "
                "expected (n, rows, columns) and (n,)"
            )
        if x.dtype != np.uint8 or y.dtype != np.uint8:
            raise ValueError(f"{folder}: the {part} images are {x.dtype}, their labels {y.dtype}; both should be uint8")
        parts += [np.ascontiguousarray(x.swapaxes(1, 2)) if emnist else x, y.astype(np.int64)]
    split = Split(*parts)
    return _only_letters(split, letters) if letters else split


def _check_letters(letters: str) -> None:
    if not letters or not all("a" <= c <= "z" for c in letters) or len(set(letters)) != len(letters):
        raise ValueError(f"letters are different ones from a to z, like 'adeghp'; received {letters!r}")


def _only_letters(split: Split, letters: str) -> Split:
    wanted = [ord(c) - ord("a") + 1 for c in letters]
    kept: list[np.ndarray] = []
    for x, y in ((split.x_train, split.y_train), (split.x_test, split.y_test)):
        missing = [c for c, label in zip(letters, wanted, strict=True) if not (y == label).any()]
        if missing:
            found = f"among labels {y.min()} to {y.max()}" if len(y) else "in files without images"
            raise ValueError(f"there are no images of {', '.join(missing)} {found}")
        number = np.full(256, -1)
        number[wanted] = np.arange(len(wanted))
        chosen = number[y] >= 0
        kept += [x[chosen], number[y[chosen]]]
    return Split(*kept)
