"""Topics of bags of words: one-hot features, hand-made validation data, a look into the history."""

import numpy as np

from graphnet import nn as keras
from graphnet.nn import layers
from graphnet.nn.utils import to_categorical

keras.utils.set_random_seed(1)

rng = np.random.default_rng(0)
topics = rng.dirichlet(np.full(100, 0.2), size=6)
labels = rng.integers(0, 6, 900)
sequences = [rng.choice(100, 25, p=topics[label]) for label in labels]


def vectorize_sequences(sequences, dimension=100):
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        for j in sequence:
            results[i, j] = 1.0
    return results


x = vectorize_sequences(sequences)
x_val, partial_x_train, x_test = x[:150], x[150:700], x[700:]
y_val, partial_y_train, y_test = np.split(to_categorical(labels), [150, 700])

model = keras.Sequential(
    [
        layers.Dense(32, activation="relu", kernel_regularizer=keras.regularizers.l2(1e-4)),
        layers.Dense(32, activation="relu"),
        layers.Dense(6, activation="softmax"),
    ]
)
top_3 = keras.metrics.TopKCategoricalAccuracy(k=3, name="top_3_accuracy")
model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy", top_3])
history = model.fit(
    partial_x_train, partial_y_train, epochs=9, batch_size=64, validation_data=(x_val, y_val), verbose=2
)

loss = history.history["loss"]
val_loss = history.history["val_loss"]
epochs = range(1, len(loss) + 1)
print("best epoch:", min(zip(val_loss, epochs, strict=True))[1])

results = model.evaluate(x_test, y_test)
predictions = model.predict(x_test)
print(predictions[0].shape, np.sum(predictions[0]), np.argmax(predictions[0]))

model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
sparse = model.evaluate(x_test, np.argmax(y_test, axis=-1), verbose=0)

assert loss[-1] < loss[0]
assert results[1] > 0.8 and results[2] > 0.95, results
assert abs(sparse[1] - results[1]) < 1e-6
