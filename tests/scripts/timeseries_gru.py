"""The next value of a noisy wave: a simple recurrent layer, a GRU, and a schedule for the learning rate."""

import numpy as np

from graphnet import nn as keras
from graphnet.nn import layers

keras.utils.set_random_seed(42)
rng = np.random.default_rng(42)


def generate_time_series(batch_size, n_steps):
    freq1, freq2, offsets1, offsets2 = rng.random((4, batch_size, 1))
    time = np.linspace(0, 1, n_steps)
    series = 0.5 * np.sin((time - offsets1) * (freq1 * 10 + 10))
    series += 0.2 * np.sin((time - offsets2) * (freq2 * 20 + 20))
    series += 0.02 * (rng.random((batch_size, n_steps)) - 0.5)
    return series[..., np.newaxis].astype(np.float32)


n_steps = 30
series = generate_time_series(1200, n_steps + 1)
x_train, y_train = series[:900, :n_steps], series[:900, -1]
x_valid, y_valid = series[900:, :n_steps], series[900:, -1]

naive = np.mean((y_valid - x_valid[:, -1]) ** 2)
print("naive forecast:", naive)

results = {}
for name, recurrent in {"rnn": layers.SimpleRNN, "gru": layers.GRU}.items():
    model = keras.Sequential(
        [
            keras.Input((None, 1)),
            recurrent(16, return_sequences=True),
            recurrent(16),
            layers.Dense(1),
        ]
    )
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=100, decay_rate=0.9)
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(learning_rate=schedule, clipnorm=1.0))
    model.fit(x_train, y_train, epochs=8, validation_data=(x_valid, y_valid), verbose=2)
    results[name] = model.evaluate(x_valid, y_valid, verbose=0)
print(results)

assert max(results.values()) < naive, (results, naive)
