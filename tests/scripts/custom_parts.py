"""Parts written by hand: a layer, a loss, a metric, a callback; and training by batches."""

import numpy as np
from made_data import mnist

from graphnet import nn as keras
from graphnet.nn import layers, ops

keras.utils.set_random_seed(1)

(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train = x_train.reshape((-1, 784)).astype("float32") / 255
x_test = x_test.reshape((-1, 784)).astype("float32") / 255


class Linear(layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="he_normal", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units})
        return config


class Block(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.linear = Linear(units)
        self.dropout = layers.Dropout(0.2)

    def call(self, x, training=False):
        return self.dropout(ops.relu(self.linear(x)), training=training)


def soft_square(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def confident(y_true, y_pred):
    return ops.max(y_pred, axis=-1)


class LossHistory(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])

    def on_epoch_end(self, epoch, logs=None):
        if logs["loss"] < 0.004:
            self.model.stop_training = True


model = keras.Sequential([keras.Input((784,)), Block(64), Block(64), Linear(10), layers.Activation("softmax")])
model.compile(optimizer=keras.optimizers.Adam(), loss=soft_square, metrics=["accuracy", confident])
record = LossHistory()
targets = keras.utils.to_categorical(y_train, 10)
model.fit(x_train, targets, batch_size=64, epochs=20, callbacks=[record], verbose=0)
loss, accuracy, sure = model.evaluate(x_test, keras.utils.to_categorical(y_test, 10), verbose=0)

for start in range(0, 256, 64):
    model.train_on_batch(x_train[start : start + 64], targets[start : start + 64])

config = model.layers[2].get_config()
again = Linear.from_config(config)

assert again.units == 10
assert len(model.trainable_weights) == 6
assert len(record.losses) >= 23
assert accuracy > 0.9 and 0 < sure < 1, (accuracy, sure)
assert np.allclose(model.predict_on_batch(x_test[:5]), model(x_test[:5], training=False), atol=1e-6)
