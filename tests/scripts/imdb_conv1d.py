"""Reviews by word numbers: an embedding, a convolution over time, and the largest response."""

from made_data import imdb, pad_sequences

from graphnet.nn import Sequential
from graphnet.nn.callbacks import EarlyStopping
from graphnet.nn.layers import Conv1D, Dense, Dropout, Embedding, GlobalMaxPooling1D
from graphnet.nn.utils import set_random_seed

set_random_seed(1)

max_words, maxlen = 200, 40
(train_reviews, y_train), (test_reviews, y_test) = imdb.load_data(num_words=max_words, seed=1)
x_train = pad_sequences(train_reviews, maxlen=maxlen)
x_test = pad_sequences(test_reviews, maxlen=maxlen)

model = Sequential(
    [
        Embedding(max_words, 16),
        Dropout(0.2),
        Conv1D(32, 3, padding="valid", activation="relu"),
        GlobalMaxPooling1D(),
        Dense(16, activation="relu"),
        Dropout(0.2),
        Dense(1, activation="sigmoid"),
    ]
)
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy", "auc"])
stop = EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
history = model.fit(x_train, y_train, batch_size=32, epochs=20, validation_split=0.2, callbacks=[stop])
results = model.evaluate(x_test, y_test, return_dict=True)
print(results)

assert set(results) == {"loss", "accuracy", "auc"}
assert results["accuracy"] > 0.85 and results["auc"] > 0.9, results
