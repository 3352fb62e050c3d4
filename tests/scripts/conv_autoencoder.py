"""An autoencoder of images: convolutions down, up again, and noise taken away."""

import numpy as np
from made_data import mnist

from graphnet import nn as keras
from graphnet.nn import layers

keras.utils.set_random_seed(1)

(train_data, _), (test_data, _) = mnist.load_data()


def preprocess(array):
    array = array.astype("float32") / 255.0
    return np.reshape(array, (len(array), 28, 28, 1))


def noise(array, rng):
    return np.clip(array + 0.3 * rng.normal(size=array.shape), 0.0, 1.0)


rng = np.random.default_rng(0)
train_data, test_data = preprocess(train_data)[:600], preprocess(test_data)
noisy_train_data, noisy_test_data = noise(train_data, rng), noise(test_data, rng)

autoencoder = keras.Sequential(
    [
        layers.Input(shape=(28, 28, 1)),
        layers.Conv2D(8, (3, 3), activation="relu", padding="same"),
        layers.MaxPooling2D((2, 2), padding="same"),
        layers.Conv2D(8, (3, 3), activation="relu", padding="same"),
        layers.AveragePooling2D((2, 2)),
        layers.Conv2DTranspose(8, (3, 3), strides=2, activation="relu", padding="same"),
        layers.UpSampling2D((2, 2)),
        layers.Conv2D(1, (3, 3), activation="sigmoid", padding="same"),
    ]
)
autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
history = autoencoder.fit(
    x=noisy_train_data,
    y=train_data,
    epochs=6,
    batch_size=32,
    shuffle=True,
    validation_data=(noisy_test_data, test_data),
)
predictions = autoencoder.predict(noisy_test_data)

assert predictions.shape == test_data.shape
print(history.history["val_loss"])
assert history.history["val_loss"][-1] < 0.75 * history.history["val_loss"][0]
