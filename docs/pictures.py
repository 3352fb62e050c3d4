"""Draw the pictures of the README and the docs anew: `python docs/pictures.py`."""

from pathlib import Path

import graphnet as gn
from graphnet import nn

HERE = Path(__file__).parent / "images"


def wave() -> None:
    """y = x exp(-x^2) and its derivative, in one graph."""
    x = gn.input((), "float64", name="x")
    y = x * gn.exp(-x * x)
    both = gn.Graph([x], [y, gn.gradients(y, x)], name="wave").simplify()
    both.draw(HERE / "wave.svg", title="y = x exp(-x²) and dy/dx")


def network() -> None:
    """A Sequential with two layers, open and closed."""
    model = nn.Sequential(
        [nn.Input((64,)), nn.Dense(32, activation="relu"), nn.Dropout(0.2), nn.Dense(10, activation="softmax")],
        name="digits",
    )
    model.draw(HERE / "network.svg", title="a Sequential")
    model.draw(HERE / "network_closed.svg", title="its layers closed", depth=1, rankdir="LR")


def curve() -> None:
    """Sixty epochs on the digits that come with the package."""
    nn.set_random_seed(0)
    x_train, y_train, *_ = gn.datasets.load_digits()
    model = nn.Sequential(
        [nn.Input((64,)), nn.Dense(256, activation="relu"), nn.Dropout(0.2), nn.Dense(10, activation="softmax")]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=60, validation_split=0.1, verbose=0).plot(HERE / "curve.png")


if __name__ == "__main__":
    wave()
    network()
    curve()
