"""Regression of house prices: normalised features, early stopping, mean absolute error."""

import numpy as np
from made_data import california_housing

from graphnet import nn as keras
from graphnet.nn import layers

keras.utils.set_random_seed(1)

(x_train, y_train), (x_test, y_test) = california_housing.load_data()

mean = x_train.mean(axis=0)
std = x_train.std(axis=0)
x_train = (x_train - mean) / std
x_test = (x_test - mean) / std


def get_model():
    model = keras.Sequential(
        [
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer="rmsprop", loss="mean_squared_error", metrics=["mean_absolute_error"])
    return model


k = 3
num_val_samples = len(x_train) // k
all_scores = []
for i in range(k):
    fold = slice(i * num_val_samples, (i + 1) * num_val_samples)
    fold_x = np.concatenate([x_train[: fold.start], x_train[fold.stop :]], axis=0)
    fold_y = np.concatenate([y_train[: fold.start], y_train[fold.stop :]], axis=0)
    model = get_model()
    model.fit(fold_x, fold_y, epochs=30, batch_size=16, verbose=0)
    scores = model.evaluate(x_train[fold], y_train[fold], verbose=0)
    val_loss, val_mae = scores
    all_scores.append(val_mae)
print([round(score, 3) for score in all_scores])

model = get_model()
early = keras.callbacks.EarlyStopping("val_mean_absolute_error", patience=5, mode="min")
history = model.fit(x_train, y_train, epochs=100, validation_split=0.2, callbacks=[early], verbose=0)
loss, mae = model.evaluate(x_test, y_test)
predictions = model.predict(x_test[:3])

assert predictions.shape == (3, 1)
assert np.mean(all_scores) < 0.4 and mae < 0.4, (all_scores, mae)
