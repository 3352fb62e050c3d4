"""Keeping models: checkpoints of the best epoch, a whole model in a file, weights alone, the architecture as JSON."""

import os
import tempfile

import numpy as np
from made_data import mnist

from graphnet import nn as keras
from graphnet.nn import layers

keras.utils.set_random_seed(1)

(train_images, train_labels), (test_images, test_labels) = mnist.load_data()
train_images = train_images[:500].reshape(-1, 28 * 28) / 255.0
test_images = test_images.reshape(-1, 28 * 28) / 255.0
train_labels = train_labels[:500]


def create_model():
    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10),
        ]
    )
    model.compile(
        optimizer="adam",
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    return model


with tempfile.TemporaryDirectory() as folder:
    best = os.path.join(folder, "best.keras")
    checkpoint = keras.callbacks.ModelCheckpoint(best, save_best_only=True, monitor="val_loss")
    model = create_model()
    model.fit(
        train_images,
        train_labels,
        epochs=8,
        validation_data=(test_images, test_labels),
        callbacks=[checkpoint],
        verbose=0,
    )
    loaded = keras.models.load_model(best)
    loss, accuracy = loaded.evaluate(test_images, test_labels, verbose=2)
    print(f"Restored model, accuracy: {100 * accuracy:5.2f}%")

    weights = os.path.join(folder, "checkpoint.weights.h5")
    model.save_weights(weights)
    other = create_model()
    other.load_weights(weights)
    np.testing.assert_allclose(other.predict(test_images), model.predict(test_images), atol=1e-6)

    whole = os.path.join(folder, "my_model.keras")
    model.save(whole)
    new_model = keras.models.load_model(whole)
    new_model.summary()
    before = model.evaluate(test_images, test_labels, verbose=0)
    after = new_model.evaluate(test_images, test_labels, verbose=0)
    np.testing.assert_allclose(before, after, rtol=1e-5)

    architecture = keras.models.model_from_json(model.to_json())
    architecture.set_weights(model.get_weights())
    copied = keras.models.clone_model(model)

assert accuracy > 0.8
assert [layer.name for layer in architecture.layers] == [layer.name for layer in model.layers]
assert copied.count_params() == model.count_params()
