"""Makes the `.keras` files here with the real Keras 3.15.1, and what it predicts: `KERAS_BACKEND=jax python
make_keras_files.py`.

The archives are packed again with compression: HDF5 leaves most of such small files empty.
"""

import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import layers

HERE = Path(__file__).parent
x = np.random.default_rng(0).normal(size=(16, 6)).astype("float32")


def save(name, model, x, y):
    model.fit(x, y, epochs=2, batch_size=8, verbose=0, shuffle=False)
    path = HERE / f"{name}.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    results[f"{name}_x"], results[f"{name}_y"] = x, y
    results[f"{name}_before"] = model.predict(x, verbose=0)
    model.fit(x, y, epochs=1, batch_size=8, verbose=0, shuffle=False)
    results[f"{name}_after"] = model.predict(x, verbose=0)


results = {}
keras.utils.set_random_seed(1)
mlp = keras.Sequential(
    [
        layers.Dense(4, activation="relu", kernel_regularizer="l2"),
        layers.BatchNormalization(),
        keras.Sequential([layers.Dense(3), layers.Activation("tanh")]),
        layers.Dense(2, name="out", activation="softmax"),
    ]
)
mlp.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
save("mlp", mlp, x, np.arange(16) % 2)

cnn = keras.Sequential(
    [
        keras.Input((6, 6, 1)),
        layers.Conv2D(2, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.0),
        layers.Dense(1),
    ]
)
schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 4, 0.5)
cnn.compile(keras.optimizers.SGD(schedule, momentum=0.9), keras.losses.MeanSquaredError(), metrics=["mae"])
images = np.random.default_rng(1).normal(size=(16, 6, 6, 1)).astype("float32")
save("cnn", cnn, images, images.mean((1, 2)))

rnn = keras.Sequential(
    [
        keras.Input((5,)),
        layers.Embedding(8, 3),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
        layers.GRU(2),
        layers.Dense(1, activation="sigmoid"),
    ]
)
rnn.compile("rmsprop", "binary_crossentropy")
words = np.random.default_rng(2).integers(0, 8, (16, 5)).astype("float32")
save("rnn", rnn, words, (words.sum(1, keepdims=True) > 17).astype("float32"))
np.savez_compressed(HERE / "keras_files.npz", **results)
