"""A multilayer perceptron on digits: one-hot labels, dropout, RMSprop."""

from made_data import mnist

from graphnet import nn as keras
from graphnet.nn.layers import Dense, Dropout
from graphnet.nn import Sequential
from graphnet.nn.optimizers import RMSprop

keras.utils.set_random_seed(1)

batch_size = 128
num_classes = 10
epochs = 15

(x_train, y_train), (x_test, y_test) = mnist.load_data()

x_train = x_train.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255
print(x_train.shape[0], "train samples")
print(x_test.shape[0], "test samples")

y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)

model = Sequential()
model.add(keras.Input(shape=(784,)))
model.add(Dense(128, activation="relu"))
model.add(Dropout(0.2))
model.add(Dense(128, activation="relu"))
model.add(Dropout(0.2))
model.add(Dense(num_classes, activation="softmax"))

model.summary()

model.compile(loss="categorical_crossentropy", optimizer=RMSprop(), metrics=["accuracy"])

history = model.fit(
    x_train,
    y_train,
    batch_size=batch_size,
    epochs=epochs,
    verbose=1,
    validation_data=(x_test, y_test),
)
score = model.evaluate(x_test, y_test, verbose=0)
print("Test loss:", score[0])
print("Test accuracy:", score[1])

assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
assert score[1] > 0.9
