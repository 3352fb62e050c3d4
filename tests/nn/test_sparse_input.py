"""Rows of sparse matrices as x: the same numbers as dense ones, and never all of them dense at once."""

import numpy as np
import pytest

from graphnet import nn
from graphnet.nn.sparse import SparseRows

sp = pytest.importorskip("scipy.sparse")
rng = np.random.default_rng(0)
DENSE = np.where(rng.random((60, 30)) < 0.1, rng.random((60, 30)), 0).astype("float32")
Y = (DENSE.sum(1) > 1).astype("float32")
KINDS = [sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.lil_matrix, sp.csr_array, sp.coo_array, sp.dok_array]


def model(dtype="float32"):
    nn.set_random_seed(0)
    made = nn.Sequential([nn.Input((30,), dtype=dtype), nn.Dense(1, "sigmoid", dtype=dtype)])
    made.compile("sgd", "binary_crossentropy", metrics=["mae"])
    return made


def close(got, want):
    """Sums may round otherwise, as they do for dense rows that lie elsewhere in memory."""
    assert list(got) == list(want)
    for key in want:
        np.testing.assert_allclose(got[key], want[key], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_fit_evaluate_and_predict_as_with_dense_rows(kind, shuffle):
    options = dict(epochs=2, batch_size=7, verbose=0, shuffle=shuffle, validation_split=0.25)
    a, b = model(), model()
    nn.set_random_seed(1)
    want = a.fit(DENSE, Y, **options).history
    nn.set_random_seed(1)
    close(b.fit(kind(DENSE), Y, **options).history, want)
    np.testing.assert_allclose(b.evaluate(kind(DENSE), Y, verbose=0), a.evaluate(DENSE, Y, verbose=0), rtol=1e-5)
    np.testing.assert_allclose(b.predict(kind(DENSE)), a.predict(DENSE), rtol=1e-5)
    assert b.score(kind(DENSE), Y) == a.score(DENSE, Y)


def test_validation_data_class_weight_and_single_batches():
    x = sp.csr_matrix(DENSE)
    a, b = model(), model()
    options = dict(verbose=0, shuffle=False, class_weight={0: 1.0, 1: 3.0})
    want = a.fit(DENSE, Y, validation_data=(DENSE, Y), **options).history
    close(b.fit(x, Y, validation_data=(x, Y), **options).history, want)
    assert b.train_on_batch(x, Y) == pytest.approx(a.train_on_batch(DENSE, Y))
    assert b.test_on_batch(x, Y) == pytest.approx(a.test_on_batch(DENSE, Y))
    np.testing.assert_allclose(b.predict_on_batch(x), a.predict_on_batch(DENSE), rtol=1e-5)
    np.testing.assert_allclose(b(x).numpy(), a(DENSE).numpy(), rtol=1e-5)
    np.testing.assert_allclose(b.layers[0](x).numpy(), a.layers[0](DENSE).numpy(), rtol=1e-5)


def test_batches_of_a_generator_and_sparse_targets():
    a, b = model(), model()
    want = a.fit(((DENSE[i : i + 20], Y[i : i + 20]) for i in (0, 20, 40)), verbose=0).history
    parts = ((sp.csr_matrix(DENSE[i : i + 20]), sp.csr_matrix(Y[i : i + 20, None])) for i in (0, 20, 40))
    close(b.fit(parts, verbose=0).history, want)


def test_float64_stays_and_integers_count():
    net = model("float64")
    whole = (DENSE > 0).astype("int64")
    np.testing.assert_allclose(net.predict(sp.csr_matrix(whole)), net.predict(whole), rtol=1e-5)
    assert net.predict(sp.csr_matrix(DENSE.astype("float64"))).dtype == np.float64


def test_only_batches_are_dense(monkeypatch):
    most = []
    inner = SparseRows.__getitem__, SparseRows.take
    monkeypatch.setattr(SparseRows, "__getitem__", lambda s, i: most.append(len(r := inner[0](s, i))) or r)
    monkeypatch.setattr(SparseRows, "take", lambda s, i, *r: most.append(len(i)) or inner[1](s, i, *r))
    monkeypatch.setattr(SparseRows, "toarray", lambda s: pytest.fail("all rows were made dense"))
    ones, places = np.ones(5000, "float32"), np.arange(5000)
    wide = sp.csr_matrix((ones, (places, places * 19)), (5000, 100_000))  # 2 GB as an array
    net = nn.Sequential([nn.Dense(1)])
    net.compile("sgd", "mse")
    net.fit(wide, np.ones(5000), batch_size=50, steps_per_epoch=2, verbose=0)
    net.predict(wide, batch_size=50, steps=1)
    assert max(most) == 50


@pytest.mark.parametrize(
    "bad, error, text",
    [
        (sp.csr_matrix(np.where(DENSE > 0.5, np.nan, DENSE)), ValueError, "x.data holds .* NaN or infinite"),
        (sp.csr_matrix(DENSE[:50]), ValueError, "x has 50 rows, y has 60"),
        (sp.csr_matrix(DENSE.astype("complex64")), TypeError, "received complex64"),
        (sp.csr_matrix(DENSE[:, :10]), ValueError, r"got \(60, 10\)"),
    ],
)
def test_what_does_not_fit_says_so(bad, error, text):
    with pytest.raises(error, match=text):
        model().fit(bad, Y, verbose=0)


def test_classifier_and_regressor_in_a_pipeline():
    pytest.importorskip("sklearn")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    x, y = rng.integers(0, 3, (60, 2)), rng.integers(0, 2, 60)
    options = dict(epochs=3, random_state=0, validation_split=0.2)
    one, other = (
        make_pipeline(OneHotEncoder(sparse_output=sparse), nn.GraphnetClassifier(**options)).fit(x, y)
        for sparse in (True, False)
    )
    np.testing.assert_allclose(one.predict_proba(x), other.predict_proba(x), rtol=1e-5)
    a = nn.GraphnetRegressor(**options).fit(sp.csr_matrix(DENSE), Y)
    b = nn.GraphnetRegressor(**options).fit(DENSE, Y)
    np.testing.assert_allclose(a.predict(sp.coo_matrix(DENSE)), b.predict(DENSE), rtol=1e-4)
