"""Reviews by word numbers: an embedding and an LSTM."""

from made_data import imdb, pad_sequences

from graphnet import nn as keras
from graphnet.nn import layers

keras.utils.set_random_seed(1)

max_features = 200
maxlen = 30

(x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=max_features)
x_train = pad_sequences(x_train, maxlen=maxlen)
x_test = pad_sequences(x_test, maxlen=maxlen)

model = keras.Sequential()
model.add(keras.Input(shape=(maxlen,), dtype="int32"))
model.add(layers.Embedding(max_features, 16))
model.add(layers.LSTM(16, return_sequences=True))
model.add(layers.LSTM(16))
model.add(layers.Dense(1, activation="sigmoid"))
model.summary()

model.compile(keras.optimizers.Adam(learning_rate=0.01), "binary_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=32, epochs=6, validation_data=(x_test, y_test), verbose=2)

loss, accuracy = model.evaluate(x_test, y_test)
predictions = model.predict(x_test)

assert predictions.shape == (len(x_test), 1)
assert accuracy > 0.85, accuracy
