"""The embedded digits, IDX files of every kind and in every state of damage, and folders of MNIST's and EMNIST's."""

import gzip
import math
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from graphnet.datasets import load_digits, load_idx, load_idx_folder

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}
MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist"


def idx_bytes(array):
    """`array` as the bytes of an IDX file."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[array.dtype.name], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx(path, array):
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A folder that hypothesis' examples may share."""
    return tmp_path_factory.mktemp("idx")


class TestDigits:
    @staticmethod
    def rows(x, y):
        """Each image with its label as bytes, to compare sets of them."""
        return sorted(bytes([label]) + image.tobytes() for image, label in zip(x, y, strict=True))

    def test_equal_scikit_learns(self):
        reference = pytest.importorskip("sklearn.datasets", reason="scikit-learn has the images to compare with")
        expected = reference.load_digits()
        s = load_digits(flat=False)
        found = self.rows(np.concatenate([s.x_train, s.x_test]), np.concatenate([s.y_train, s.y_test]))
        assert found == self.rows((expected.images / 16).astype(np.float32), expected.target)

    @pytest.mark.parametrize("flat, shape", [(True, (64,)), (False, (8, 8))])
    def test_shapes_and_dtypes(self, flat, shape):
        s = load_digits(flat=flat)
        assert (s.x_train.shape, s.x_test.shape) == ((1438, *shape), (359, *shape))
        assert (s.x_train.dtype, s.y_train.dtype) == (np.float32, np.int64)
        assert (s.x_train.min(), s.x_train.max()) == (0, 1)
        assert set(s.y_train) == set(range(10))

    @pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5, 0.9])
    def test_each_digit_has_its_share_of_the_test_part(self, fraction):
        s = load_digits(fraction)
        train, test = np.bincount(s.y_train, minlength=10), np.bincount(s.y_test, minlength=10)
        assert (np.abs(test - fraction * (train + test)) <= 1.5).all()

    def test_split_is_shuffled(self):
        s = load_digits()
        for labels in (s.y_train, s.y_test):
            assert set(labels[:100]) == set(labels[-100:]) == set(range(10))
            assert (np.diff(labels) < 0).mean() > 0.3

    def test_seed_fixes_the_split(self):
        first, again, other = load_digits(seed=0), load_digits(seed=0), load_digits(seed=1)
        for one, two in zip(first, again, strict=True):
            np.testing.assert_array_equal(one, two)
        assert (first.x_test != other.x_test).any()

    @pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
    def test_fraction_out_of_range(self, fraction):
        with pytest.raises(ValueError, match="test_fraction is between 0 and 1; received"):
            load_digits(fraction)


class TestIdx:
    @given(data=st.data(), name=st.sampled_from(sorted(CODES)), ending=st.sampled_from(["", ".gz"]))
    def test_round_trip(self, scratch, data, name, ending):
        shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4))
        array = data.draw(hnp.arrays(name, shape))
        found = load_idx(write_idx(scratch / f"any{ending}", array))
        assert (found.shape, found.dtype) == (array.shape, array.dtype)
        assert found.dtype.isnative and found.flags.writeable and found.flags.c_contiguous
        np.testing.assert_array_equal(found, array)

    def test_content_and_not_the_name_tells_gzip(self, tmp_path):
        array = np.arange(6, dtype=np.int16).reshape(2, 3)
        (tmp_path / "plain.gz").write_bytes(idx_bytes(array))
        (tmp_path / "zipped").write_bytes(gzip.compress(idx_bytes(array)))
        np.testing.assert_array_equal(load_idx(tmp_path / "plain.gz"), array)
        np.testing.assert_array_equal(load_idx(str(tmp_path / "zipped")), array)

    def test_larger_than_a_block(self, tmp_path):
        array = np.arange(700_000, dtype=np.int32).reshape(700, 1000)
        np.testing.assert_array_equal(load_idx(write_idx(tmp_path / "large.gz", array)), array)

    @pytest.mark.parametrize("zipped", [False, True])
    def test_every_truncation(self, tmp_path, zipped):
        whole = idx_bytes(np.arange(12, dtype=np.int16).reshape(3, 4))
        whole = gzip.compress(whole) if zipped else whole
        path = tmp_path / "short"
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            with pytest.raises(ValueError, match=r"short: "):
                load_idx(path)

    @given(place=st.integers(10, 300), flip=st.integers(1, 255))
    def test_damaged_gzip_never_gives_other_values(self, scratch, place, flip):
        array = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
        data = bytearray(gzip.compress(idx_bytes(array), mtime=0))
        data[place] ^= flip
        path = scratch / "damaged.gz"
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"damaged\.gz: "):
            load_idx(path)

    @pytest.mark.parametrize("zipped", [False, True])
    def test_too_long(self, tmp_path, zipped):
        data = idx_bytes(np.zeros((2, 3), np.uint8)) + b"\0"
        path = tmp_path / "long"
        path.write_bytes(gzip.compress(data) if zipped else data)
        with pytest.raises(
            ValueError, match=r"long: the header says uint8\[2, 3\], which is 6 bytes; more than that follow"
        ):
            load_idx(path)

    @pytest.mark.parametrize(
        "data",
        [b"", b"\0\0\x08", b"\x89PNG\r\n\x1a\n", b"\0\0\x0a\1\0\0\0\1\0", b"\1\0\x08\1\0\0\0\1\0", b"\0\1\x08\0\0"],
    )
    def test_no_idx_file(self, tmp_path, data):
        path = tmp_path / "other"
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"other: not an IDX file: it should begin with .* it begins with"):
            load_idx(path)

    @pytest.mark.parametrize("zipped", [False, True])
    @pytest.mark.parametrize("shape", [(2**31,), (2**32 - 1, 2**31), (2**32 - 1,) * 8, (0, *(2**32 - 1,) * 8)])
    def test_a_claim_of_size_allocates_nothing(self, tmp_path, shape, zipped):
        data = bytes([0, 0, 0x0E, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + b"\0"
        path = tmp_path / "claim"
        path.write_bytes(gzip.compress(data) if zipped else data)
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=r"claim: the header says"):
                load_idx(path)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()

    def test_an_empty_shape_that_overflows(self, tmp_path):
        shape = (0, *(2**32 - 1,) * 8)
        path = tmp_path / "empty"
        path.write_bytes(bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape))
        with pytest.raises(ValueError, match=r"empty: the header says uint8\[0, 4294967295.* too large"):
            load_idx(path)

    def test_gzip_is_unpacked_no_further_than_the_header_says(self, tmp_path):
        path = tmp_path / "bomb.gz"
        path.write_bytes(gzip.compress(idx_bytes(np.zeros((2, 3), np.uint8)) + bytes(64 << 20)))
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=r"bomb\.gz: the header says uint8\[2, 3\], which is 6 bytes"):
                load_idx(path)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()

    def test_more_axes_than_numpy_has(self, tmp_path):
        path = tmp_path / "deep"
        path.write_bytes(bytes([0, 0, 8, 65]) + struct.pack(">65I", *[1] * 65) + b"\7")
        with pytest.raises(ValueError, match=r"deep: .*65 axes.* at most 64"):
            load_idx(path)
        path.write_bytes(bytes([0, 0, 8, 64]) + struct.pack(">64I", *[1] * 64) + b"\7")
        assert load_idx(path).shape == (1,) * 64

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="absent"):
            load_idx(tmp_path / "absent")


def write_part(folder, name, part, x, y, ending=""):
    write_idx(folder / f"{name}{part}-images-idx3-ubyte{ending}", x)
    write_idx(folder / f"{name}{part}-labels-idx1-ubyte{ending}", y)


def stored_letters(rng, labels):
    """Upright images of 3 x 5 pixels that carry their label in the first row, and the labels."""
    y = np.array(labels, np.uint8)
    x = rng.integers(100, 256, (len(y), 3, 5), dtype=np.uint8)
    x[:, 0, :] = y[:, None]
    return x, y


@pytest.fixture
def mnist(tmp_path, rng):
    """A folder with tiny files under MNIST's names, and what is in them."""
    parts = []
    for part, count in (("train", 7), ("t10k", 3)):
        x = rng.integers(0, 256, (count, 4, 3), dtype=np.uint8)
        y = rng.integers(0, 10, count, dtype=np.uint8)
        write_part(tmp_path, "", part, x, y, ".gz")
        parts.append((x, y))
    return tmp_path, parts


@pytest.fixture
def emnist(tmp_path, rng):
    """A folder with tiny files of EMNIST letters, stored transposed, and what they show."""
    parts = []
    for part, repeat in (("train", 2), ("test", 1)):
        x, y = stored_letters(rng, rng.permutation(np.repeat(np.arange(1, 27), repeat)))
        write_part(tmp_path, "emnist-letters-", part, x.swapaxes(1, 2), y)
        parts.append((x, y))
    return tmp_path, parts


def pairs(split):
    """`(x_train, y_train), (x_test, y_test)` of a split."""
    return (split.x_train, split.y_train), (split.x_test, split.y_test)


class TestFolder:
    def test_mnist_is_given_as_stored(self, mnist):
        folder, parts = mnist
        for (x, y), (images, labels) in zip(pairs(load_idx_folder(folder)), parts, strict=True):
            np.testing.assert_array_equal(x, images)
            np.testing.assert_array_equal(y, labels)
            assert (x.dtype, y.dtype) == (np.uint8, np.int64)

    def test_names_with_a_dot(self, mnist):
        folder, parts = mnist
        for path in list(folder.iterdir()):
            path.rename(folder / path.name.replace("-idx", ".idx"))
        np.testing.assert_array_equal(load_idx_folder(str(folder)).x_test, parts[1][0])

    def test_emnist_is_turned_upright(self, emnist):
        folder, parts = emnist
        for (x, y), (upright, labels) in zip(pairs(load_idx_folder(folder)), parts, strict=True):
            np.testing.assert_array_equal(x, upright)
            np.testing.assert_array_equal(y, labels)
            assert x.flags.c_contiguous

    @pytest.mark.parametrize("letters", ["adeghp", "pa", "z", "abcdefghijklmnopqrstuvwxyz"])
    def test_letters_choose_and_order_classes(self, emnist, letters):
        folder, parts = emnist
        numbers = [ord(c) - ord("a") + 1 for c in letters]
        for (x, y), (upright, labels) in zip(pairs(load_idx_folder(folder, letters=letters)), parts, strict=True):
            kept = np.isin(labels, numbers)
            np.testing.assert_array_equal(x, upright[kept])
            assert [numbers[i] for i in y] == labels[kept].tolist() == x[:, 0, 0].tolist()
            assert set(y) == set(range(len(letters)))

    def test_letters_come_from_the_letters_where_mnist_lies_beside_them(self, mnist, rng):
        folder, _ = mnist
        x, y = stored_letters(rng, [1, 2, 26])
        for part in ("train", "test"):
            write_part(folder, "emnist-letters-", part, x.swapaxes(1, 2), y)
        assert load_idx_folder(folder, letters="za").y_train.tolist() == [1, 0]

    def test_other_emnist_data_sets(self, tmp_path, rng):
        x, y = stored_letters(rng, [0, 46, 3])
        for part in ("train", "test"):
            write_part(tmp_path, "emnist-balanced-", part, x.swapaxes(1, 2), y, ".gz")
        split = load_idx_folder(tmp_path)
        np.testing.assert_array_equal(split.x_train, x)
        np.testing.assert_array_equal(split.y_train, y)
        with pytest.raises(FileNotFoundError, match="emnist-letters-train-images-idx3-ubyte"):
            load_idx_folder(tmp_path, letters="a")

    @pytest.mark.parametrize("letters", ["aD", "a1", "aé", "", "adda"])
    def test_letters_that_are_none_or_stand_twice(self, emnist, letters):
        with pytest.raises(ValueError, match=f"different ones from a to z.*received {letters!r}"):
            load_idx_folder(emnist[0], letters=letters)

    def test_letters_of_digits(self, mnist):
        with pytest.raises(FileNotFoundError, match="emnist-letters-train-images-idx3-ubyte"):
            load_idx_folder(mnist[0], letters="a")

    def test_letters_without_images(self, tmp_path, rng):
        x, y = stored_letters(rng, [1, 4])
        for part in ("train", "test"):
            write_part(tmp_path, "emnist-letters-", part, x.swapaxes(1, 2), y)
        with pytest.raises(ValueError, match="no images of z among labels 1 to 4"):
            load_idx_folder(tmp_path, letters="adz")

    @pytest.mark.parametrize("part", ["train", "t10k"])
    @pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
    def test_missing_file(self, mnist, part, kind):
        folder = mnist[0]
        (folder / f"{part}-{kind}-ubyte.gz").unlink()
        with pytest.raises(FileNotFoundError, match=f"none of {part}-{kind}-ubyte"):
            load_idx_folder(folder)

    def test_nothing_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="none of train-images-idx3-ubyte"):
            load_idx_folder(tmp_path)
        with pytest.raises(FileNotFoundError, match="absent: no such folder"):
            load_idx_folder(tmp_path / "absent")

    def test_counts_that_differ(self, mnist):
        folder = mnist[0]
        write_idx(folder / "t10k-labels-idx1-ubyte.gz", np.zeros(4, np.uint8))
        with pytest.raises(ValueError, match=r"test images have shape \(3, 4, 3\), their labels \(4,\)"):
            load_idx_folder(folder)

    @pytest.mark.parametrize("name, label", [("int32", 1000), ("int16", -5), ("float32", 2.7), ("float64", np.nan)])
    def test_labels_of_another_type(self, emnist, name, label):
        write_idx(emnist[0] / "emnist-letters-train-labels-idx1-ubyte", np.full(52, label, name))
        for letters in (None, "ab"):
            with pytest.raises(ValueError, match=f"train images are uint8, their labels {name}; both should be uint8"):
                load_idx_folder(emnist[0], letters=letters)

    def test_images_of_another_type(self, mnist):
        folder, parts = mnist
        write_idx(folder / "t10k-images-idx3-ubyte.gz", parts[1][0].astype(np.float64))
        with pytest.raises(ValueError, match="test images are float64, their labels uint8; both should be uint8"):
            load_idx_folder(folder)

    def test_files_without_images(self, tmp_path):
        for part in ("train", "test"):
            write_part(tmp_path, "emnist-letters-", part, np.zeros((0, 5, 3), np.uint8), np.zeros(0, np.uint8))
        assert load_idx_folder(tmp_path).x_train.shape == (0, 3, 5)
        with pytest.raises(ValueError, match="no images of a, d in files without images"):
            load_idx_folder(tmp_path, letters="ad")

    def test_labels_where_images_belong(self, mnist):
        folder = mnist[0]
        write_idx(folder / "train-images-idx3-ubyte.gz", np.zeros(7, np.uint8))
        with pytest.raises(ValueError, match=r"train images have shape \(7,\), their labels \(7,\)"):
            load_idx_folder(folder)


@pytest.mark.skipif(not MNIST.is_dir(), reason="the files of MNIST are not beside this repository")
def test_the_real_mnist():
    x_train, y_train, x_test, y_test = load_idx_folder(MNIST)
    assert (x_train.shape, y_train.shape) == ((60000, 28, 28), (60000,))
    assert (x_test.shape, y_test.shape) == ((10000, 28, 28), (10000,))
    assert np.bincount(y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # The mean and standard deviation that everyone normalises MNIST with.
    assert math.isclose(x_train.mean() / 255, 0.1307, abs_tol=5e-5)
    assert math.isclose(x_train.std() / 255, 0.3081, abs_tol=5e-5)
