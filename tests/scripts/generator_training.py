"""Data that comes in batches from a generator, with steps per epoch, and weights of samples."""

import numpy as np

from graphnet import nn as keras
from graphnet.nn import layers

keras.utils.set_random_seed(1)

rng = np.random.default_rng(0)
direction = rng.normal(size=(20,))


def batches(batch_size, seed):
    generator = np.random.default_rng(seed)
    while True:
        x = generator.normal(size=(batch_size, 20)).astype("float32")
        y = (x @ direction > 0).astype("float32")
        weights = 1.0 + (np.abs(x @ direction) > 1)
        yield x, y, weights


model = keras.Sequential([layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid")])
model.compile(
    optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, decay_steps=300)),
    loss="binary_crossentropy",
    metrics=["accuracy"],
    weighted_metrics=["accuracy"],
)
history = model.fit(
    batches(32, seed=1),
    steps_per_epoch=50,
    epochs=6,
    validation_data=batches(32, seed=2),
    validation_steps=10,
    verbose=2,
)
loss, *metrics = model.evaluate(batches(64, seed=3), steps=10, verbose=0)

assert len(history.epoch) == 6
assert history.history["accuracy"][-1] > 0.9
assert metrics[0] > 0.85
