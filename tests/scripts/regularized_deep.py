"""A deep network with everything against overfitting: batch normalisation, penalties, noise, class weights."""

import numpy as np
from made_data import mnist

from graphnet import nn as keras
from graphnet.nn import callbacks, constraints, initializers, layers, regularizers

keras.utils.set_random_seed(0)
(x_train, y_train), (x_test, y_test) = mnist.load_data()

model = keras.Sequential(name="deep")
model.add(layers.Input(shape=(28, 28)))
model.add(layers.Rescaling(1.0 / 255))
model.add(layers.Flatten())
model.add(layers.GaussianNoise(0.1))
for units in (128, 64):
    model.add(
        layers.Dense(
            units,
            use_bias=False,
            kernel_initializer=initializers.HeNormal(seed=1),
            kernel_regularizer=regularizers.L1L2(l1=1e-6, l2=1e-5),
            kernel_constraint=constraints.MaxNorm(4),
        )
    )
    model.add(layers.BatchNormalization())
    model.add(layers.LeakyReLU(negative_slope=0.1))
    model.add(layers.Dropout(0.2))
model.add(layers.Dense(10, activation="softmax", name="probabilities"))

optimizer = keras.optimizers.SGD(learning_rate=0.05, momentum=0.9, nesterov=True)
model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x_train,
    y_train,
    batch_size=32,
    epochs=12,
    validation_split=0.15,
    class_weight={digit: 2.0 if digit == 8 else 1.0 for digit in range(10)},
    callbacks=[
        callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=2),
        callbacks.TerminateOnNaN(),
        callbacks.LambdaCallback(on_train_end=lambda logs: print("done")),
    ],
    verbose=0,
)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print("accuracy", accuracy)

model.get_layer("probabilities").trainable = False
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
frozen = model.get_layer("probabilities").get_weights()
model.fit(x_train[:64], y_train[:64], verbose=0)

assert "learning_rate" in history.history
assert accuracy > 0.9, accuracy
for old, new in zip(frozen, model.get_layer("probabilities").get_weights(), strict=True):
    np.testing.assert_array_equal(old, new)
