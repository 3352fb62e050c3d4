"""Data for the scripts, in the shape of Keras' own data sets: digits as 28x28 images, and made reviews and series."""

import numpy as np

from graphnet.datasets import load_digits


class mnist:
    """The embedded digits, drawn three times as large on 28x28 pixels of type uint8."""

    @staticmethod
    def load_data():
        data = load_digits(flat=False)

        def drawn(images):
            large = np.kron(images, np.ones((1, 3, 3)))
            return np.round(np.pad(large, ((0, 0), (2, 2), (2, 2))) * 255).astype("uint8")

        return (drawn(data.x_train), data.y_train), (drawn(data.x_test), data.y_test)


class imdb:
    """Made reviews: word numbers, where words 1 to 9 praise and 10 to 19 blame, a few of them hidden among others."""

    @staticmethod
    def load_data(num_words=200, maxlen=40, samples=800, seed=0):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, samples)
        reviews = []
        for label in labels:
            words = rng.integers(20, num_words, rng.integers(10, maxlen))
            places = rng.permutation(len(words))[:4]
            words[places] = rng.integers(1, 10, 4) + 10 * (1 - label)
            reviews.append(words.tolist())
        half = samples * 3 // 4
        return (reviews[:half], labels[:half]), (reviews[half:], labels[half:])


def pad_sequences(sequences, maxlen):
    """The last `maxlen` entries of each list, with zeros in front of shorter ones."""
    padded = np.zeros((len(sequences), maxlen), "int32")
    for row, sequence in zip(padded, sequences, strict=True):
        kept = sequence[-maxlen:]
        row[maxlen - len(kept) :] = kept
    return padded


class california_housing:
    """A made regression: eight features, prices that depend on them with noise."""

    @staticmethod
    def load_data(samples=600, seed=0):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(samples, 8)) * rng.uniform(1, 50, 8) + rng.uniform(-20, 20, 8)
        z = (x - x.mean(0)) / x.std(0)
        y = 2 + z[:, 0] - 0.5 * z[:, 1] + 0.5 * np.maximum(z[:, 2], 0) + 0.1 * rng.normal(size=samples)
        cut = samples * 4 // 5
        return (x[:cut], y[:cut]), (x[cut:], y[cut:])
