"""Saving and loading: formats give back the same bits, training goes on as if it had not stopped, files are whole."""

import json
import os
import stat
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest

import graphnet as gn
from graphnet.files import write_whole

MODELS = [".keras", ".graphnet"]
WEIGHTS = [".weights.h5", ".safetensors", ".npz"]


@pytest.fixture(autouse=True)
def seed():
    gn.nn.set_random_seed(0)


def needs(ending):
    if "h5" in ending or ending == ".keras":
        pytest.importorskip("h5py")


def data(rows=40):
    x = np.random.default_rng(0).normal(size=(rows, 6)).astype("float32")
    return x, (x.sum(1) > 0).astype("int32")


def network(optimizer="adam", **options):
    model = gn.nn.Sequential(
        [
            gn.nn.Input((6,)),
            gn.nn.Dense(5, activation="relu", kernel_regularizer=gn.nn.regularizers.L2(0.01)),
            gn.nn.Dropout(0.3),
            gn.nn.Sequential([gn.nn.Dense(4, activation="tanh"), gn.nn.Dropout(0.2, seed=5)]),
            gn.nn.Dense(2, activation="softmax", name="out"),
        ]
    )
    loss = gn.nn.losses.SparseCategoricalCrossentropy()
    model.compile(optimizer, loss, metrics=["accuracy"], run_eagerly=True, **options)
    return model


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(v, w) and v.dtype == w.dtype for v, w in zip(a, b, strict=True))


@pytest.mark.parametrize("ending", MODELS)
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_training_goes_on_as_if_it_had_not_stopped(ending, optimizer, tmp_path):
    needs(ending)
    x, y = data()
    model = network(optimizer)
    model.fit(x, y, epochs=2, batch_size=16, verbose=0, shuffle=False)
    model.save(tmp_path / f"m{ending}")
    again = gn.nn.load_model(tmp_path / f"m{ending}")
    assert same(model.get_weights(), again.get_weights())
    np.testing.assert_array_equal(model.predict(x), again.predict(x))
    assert again.optimizer.learning_rate.item() == model.optimizer.learning_rate.item()
    histories = [m.fit(x, y, epochs=3, batch_size=16, verbose=0, shuffle=False).history for m in (model, again)]
    assert histories[0] == histories[1]
    assert same(model.get_weights(), again.get_weights())


@pytest.mark.parametrize("ending", MODELS)
def test_settings_come_back(ending, tmp_path):
    needs(ending)
    model = network(gn.nn.optimizers.Adam(0.0123, beta_1=0.8, clipnorm=2.0), loss_weights=0.5, steps_per_execution=2)
    model.layers[0].trainable = False
    model.save(tmp_path / f"m{ending}")
    again = gn.nn.load_model(tmp_path / f"m{ending}")
    assert again.name == model.name and [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert [layer.trainable for layer in again.layers] == [False, True, True, True]
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert again.loss.get_config() == model.loss.get_config()
    assert [m.name for m in again.metrics[1:]] == ["accuracy"] and again.steps.run_eagerly
    assert (again.steps.objectives.weights, again.steps.steps_per_execution) == (0.5, 2)
    assert again.layers[0].kernel_regularizer.l2 == 0.01
    assert gn.nn.load_model(tmp_path / f"m{ending}", compile=False).optimizer is None


def test_the_own_format_holds_what_keras_has_no_word_for(tmp_path):
    x, y = data()
    model = gn.nn.Sequential([gn.nn.Layer(size=6)])
    model.add(gn.nn.Layer(size=5, activation="relu", type="dropout", dropout_keep_prob=0.6))
    model.add(gn.nn.Layer(size=2, activation="softmax"))
    model.compile(learning_rate=0.1, penalty="lasso", weight_penalty=0.02, metrics=["zero_one_loss"])
    model.fit(x, y, epochs=2, verbose=0, shuffle=False)
    model.save(tmp_path / "m.graphnet")
    again = gn.nn.load_model(tmp_path / "m.graphnet")
    assert type(again.steps.penalty).__name__ == "Lasso" and again.steps.penalty.penalty == 0.02
    for m in (model, again):
        m.steps.train.eager = True
        m.fit(x, y, epochs=2, verbose=0, shuffle=False)
    assert same(model.get_weights(), again.get_weights())


@pytest.mark.parametrize("ending", MODELS)
def test_float64_keeps_all_its_bits(ending, tmp_path):
    needs(ending)
    model = gn.nn.Sequential([gn.nn.Input((3,)), gn.nn.Dense(2, dtype="float64")])
    model.save(tmp_path / f"m{ending}")
    again = gn.nn.load_model(tmp_path / f"m{ending}")
    assert again.get_weights()[0].dtype == np.float64 and same(model.get_weights(), again.get_weights())


@pytest.mark.parametrize("ending", WEIGHTS)
def test_weights_alone(ending, tmp_path):
    needs(ending)
    model, other = network(), network()
    path = tmp_path / f"w{ending}"
    model.save_weights(path)
    assert not same(model.get_weights(), other.get_weights())
    other.load_weights(path)
    assert same(model.get_weights(), other.get_weights())


@pytest.mark.parametrize("ending", MODELS)
def test_weights_of_whole_models(ending, tmp_path):
    needs(ending)
    model, other = network(), network()
    model.save(tmp_path / f"m{ending}")
    other.load_weights(tmp_path / f"m{ending}")
    assert same(model.get_weights(), other.get_weights())


def test_names_in_weight_files_can_be_read(tmp_path):
    model = network()
    model.save_weights(tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz", allow_pickle=False) as file:
        names = list(file)
    assert names == [
        "dense/kernel",
        "dense/bias",
        "sequential/dense/kernel",
        "sequential/dense/bias",
        "dense_1/kernel",
        "dense_1/bias",
    ]


def test_safetensors_files_are_those_of_that_library(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    model = network()
    model.save_weights(tmp_path / "w.safetensors")
    arrays = safetensors.load_file(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(arrays["dense/kernel"], model.get_weights()[0])
    safetensors.save_file({name: array + 1 for name, array in arrays.items()}, tmp_path / "v.safetensors")
    before = model.get_weights()
    model.load_weights(tmp_path / "v.safetensors")
    assert same([w + 1 for w in before], model.get_weights())


def test_bfloat16_is_widened():
    from graphnet.nn.saving.arrays import from_safetensors

    header = json.dumps({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    data = len(header).to_bytes(8, "little") + header + bytes.fromhex("803f00c0")
    assert from_safetensors(data)["a"].tolist() == [1.0, -2.0]


@pytest.mark.parametrize("ending", WEIGHTS)
def test_weights_that_do_not_fit_change_nothing(ending, tmp_path):
    needs(ending)
    path = tmp_path / f"w{ending}"
    network().save_weights(path)
    for layers in ([gn.nn.Dense(5), gn.nn.Dense(3)], [gn.nn.Dense(5)], [gn.nn.Flatten()]):
        other = gn.nn.Sequential([gn.nn.Input((6,)), *layers])
        before = other.get_weights()
        with pytest.raises(gn.nn.saving.FileError, match="skip_mismatch"):
            other.load_weights(path)
        assert same(before, other.get_weights())


def test_skip_mismatch_takes_what_fits(tmp_path):
    model = network()
    model.save_weights(tmp_path / "w.npz")
    other = gn.nn.Sequential([gn.nn.Input((6,)), gn.nn.Dense(5), gn.nn.Dense(3)])
    last = other.get_weights()[2:]
    with pytest.warns(UserWarning, match=r"dense_1/kernel is \(4, 2\) in the file and \(5, 3\) in the model"):
        other.load_weights(tmp_path / "w.npz", skip_mismatch=True)
    assert same(other.get_weights()[:2], model.get_weights()[:2]) and same(other.get_weights()[2:], last)


def test_56_endings_are_listed(tmp_path):
    model = network()
    for call in (model.save, gn.nn.load_model):
        with pytest.raises(ValueError, match=r"\.keras, \.graphnet; this ends in \.h6"):
            call(tmp_path / "m.h6")
    for call in (model.save_weights, model.load_weights):
        with pytest.raises(ValueError, match=r"\.weights\.h5, \.safetensors, \.npz.*has no ending"):
            call(tmp_path / "weights")
    with pytest.raises(FileNotFoundError):
        gn.nn.load_model(tmp_path / "none.graphnet")
    assert list(tmp_path.iterdir()) == []


def test_models_without_weights(tmp_path):
    model = gn.nn.Sequential([gn.nn.Dense(2)])
    with pytest.warns(UserWarning, match="without weights"):
        model.save(tmp_path / "m.graphnet")
    again = gn.nn.load_model(tmp_path / "m.graphnet")
    assert not again.built and again.layers[0].units == 2
    for call in (model.save_weights, model.load_weights):
        with pytest.raises(ValueError, match="has no weights yet"):
            call(tmp_path / "w.npz")


def test_overwrite(tmp_path):
    model = network()
    model.save(tmp_path / "m.graphnet")
    with pytest.raises(FileExistsError):
        model.save(tmp_path / "m.graphnet", overwrite=False)


# Classes and functions of users.


class Scale(gn.nn.Layer):
    def __init__(self, factor=2.0, inner=None, **kwargs):
        super().__init__(**kwargs)
        self.factor, self.inner = factor, inner

    def build(self, input_shape):
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.scale * self.factor


def double(x):
    return 2 * x


@pytest.mark.parametrize("ending", MODELS)
def test_custom_objects(ending, tmp_path):
    needs(ending)
    model = gn.nn.Sequential([gn.nn.Input((3,)), Scale(3.0), gn.nn.Dense(2, activation=double)])
    model.save(tmp_path / f"m{ending}")
    with pytest.raises(gn.nn.saving.FileError, match=r"'Scale'.*custom_objects="):
        gn.nn.load_model(tmp_path / f"m{ending}")
    with pytest.raises(gn.nn.saving.FileError, match="function 'double'"):
        gn.nn.load_model(tmp_path / f"m{ending}", custom_objects={"Scale": Scale})
    again = gn.nn.load_model(tmp_path / f"m{ending}", custom_objects={"Scale": Scale, "double": double})
    assert isinstance(again.layers[0], Scale) and again.layers[0].factor == 3.0 and again.layers[1].activation is double
    np.testing.assert_array_equal(again.predict(np.ones((1, 3))), model.predict(np.ones((1, 3))))
    with gn.nn.custom_object_scope({"Scale": Scale, "double": double}):
        gn.nn.load_model(tmp_path / f"m{ending}")


def test_registered_objects(tmp_path):
    @gn.nn.register_keras_serializable("tests")
    def half(x):
        return x / 2

    @gn.nn.register_serializable("tests", name="Scaled")
    class Other(Scale):
        pass

    model = gn.nn.Sequential([gn.nn.Input((3,)), Other(), gn.nn.Dense(2, activation=half)])
    model.save(tmp_path / "m.graphnet")
    again = gn.nn.load_model(tmp_path / "m.graphnet")
    assert type(again.layers[0]) is Other and again.layers[1].activation is half
    again = gn.nn.Sequential.from_config(json.loads(json.dumps(model.get_config())))
    assert type(again.layers[0]) is Other and again.layers[1].activation is half
    with pytest.raises(ValueError, match="registered already"):

        @gn.nn.register_serializable("tests", name="half")
        def third(x):
            return x / 3


def test_lambdas_are_not_written(tmp_path):
    model = gn.nn.Sequential([gn.nn.Input((3,)), gn.nn.Dense(2, activation=lambda x: x)])
    with pytest.raises(ValueError, match="register_serializable"):
        model.save(tmp_path / "m.graphnet")
    assert list(tmp_path.iterdir()) == []


def test_json_and_clones():
    model = network()
    again = gn.nn.model_from_json(model.to_json())
    assert [w.shape for w in again.get_weights()] == [w.shape for w in model.get_weights()]
    assert type(again.optimizer).__name__ == "Adam"
    classic = gn.nn.Sequential([gn.nn.Layer(size=6), gn.nn.Layer(size=2)])
    assert gn.nn.model_from_json(classic.to_json(indent=1)).count_params() == 14
    with pytest.raises(ValueError, match="no JSON"):
        gn.nn.model_from_json("{")
    with pytest.raises(ValueError, match="no model"):
        gn.nn.model_from_json("{}")
    clone = gn.nn.clone_model(model)
    assert clone.steps is None and not same(clone.get_weights(), model.get_weights())
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict(data()[0]), model.predict(data()[0]))

    def wider(layer):
        return gn.nn.Dense(9) if layer.name == "out" else type(layer).from_config(layer.get_config())

    wide = gn.nn.clone_model(model, wider)
    assert wide.output_shape == (None, 9)
    with pytest.raises(TypeError, match="gives a layer for each layer"):
        gn.nn.clone_model(model, lambda layer: None)


def test_loading_draws_no_weights_and_asks_for_no_h5py(tmp_path):
    network().save(tmp_path / "m.graphnet")
    code = """
        import sys
        sys.modules["h5py"] = None
        import graphnet as gn
        model = gn.nn.load_model("m.graphnet")
        model.save_weights("w.npz"); model.load_weights("w.npz")
        for call in (model.save, gn.nn.load_model):
            try:
                open("m.keras", "wb").close() if call is gn.nn.load_model else None
                call("m.keras")
            except ImportError as error:
                print(error)
            except ValueError as error:
                print("damaged")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    assert "pip install h5py" in done.stdout


def environment():
    root = os.path.dirname(os.path.dirname(gn.__file__))
    return {**os.environ, "PYTHONPATH": root, "GRAPHNET_NATIVE": "0"}


# Files are whole.


def test_the_same_model_gives_the_same_bytes(tmp_path):
    model = network()
    model.save(tmp_path / "a.graphnet")
    model.save(tmp_path / "b.graphnet")
    assert (tmp_path / "a.graphnet").read_bytes() == (tmp_path / "b.graphnet").read_bytes()


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    model = network()
    model.save(tmp_path / "m.graphnet")
    before = (tmp_path / "m.graphnet").read_bytes()
    model.set_weights([w + 1 for w in model.get_weights()])

    def full(*args):
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(OSError, match="No space"):
                model.save(tmp_path / "m.graphnet")
        assert [p.name for p in tmp_path.iterdir()] == ["m.graphnet"]
        assert (tmp_path / "m.graphnet").read_bytes() == before


def test_permissions_and_links_stay(tmp_path):
    target, link = tmp_path / "real.npz", tmp_path / "link.npz"
    network().save_weights(target)
    os.chmod(target, 0o640)
    link.symlink_to(target)
    network().save_weights(link)
    assert link.is_symlink() and stat.S_IMODE(target.stat().st_mode) == 0o640
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, b"")


def test_a_kill_during_save_leaves_a_whole_file(tmp_path):
    code = """
        import os, random, signal, sys, time
        import numpy as np
        import graphnet as gn
        model = gn.nn.Sequential([gn.nn.Input((40,)), gn.nn.Dense(60)])
        model.compile("adam", "mse")
        model.set_weights([np.zeros(w.shape, "float32") for w in model.get_weights()])
        model.save("m.graphnet")
        start = time.perf_counter(); model.save("m.graphnet"); once = time.perf_counter() - start
        rng = random.Random(0)
        for round in range(50):
            child = os.fork()
            if child == 0:
                value = float(round)
                while True:
                    value += 0.001
                    model.set_weights([np.full(w.shape, value, "float32") for w in model.get_weights()])
                    model.save("m.graphnet")
            time.sleep(rng.uniform(0, 4) * once)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            read = gn.nn.load_model("m.graphnet").get_weights()
            assert all((w == read[1][0]).all() for w in read), round
        model.save("m.graphnet")
        assert os.listdir(".") == ["m.graphnet"]  # what was half written by those that were killed is gone
        os._exit(0)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    assert zipfile.is_zipfile(tmp_path / "m.graphnet")


@pytest.mark.parametrize("ending", MODELS)
@pytest.mark.parametrize("after", [(False, True), (False, False), (True, False)])
def test_trainable_that_changed_since_compile_gives_a_file_without_slots_of_other_weights(tmp_path, ending, after):
    needs(ending)
    model = gn.nn.Sequential([gn.nn.Input((3,)), gn.nn.Dense(3), gn.nn.Dense(3), gn.nn.Dense(3)])
    first, second = model.layers[:2]
    second.trainable = False
    model.compile("adam", "mse")
    x = np.ones((4, 3), "float32")
    model.fit(x, x, epochs=2, verbose=0)
    # (False, True) has weights of the same shapes as before, whose slots are other numbers
    first.trainable, second.trainable = after
    same = after == (True, False)
    path = tmp_path / f"m{ending}"
    if same:
        model.save(path)
    else:
        with pytest.warns(UserWarning, match="before `compile`, or compile again"):
            model.save(path)
    loaded = gn.nn.load_model(path)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert int(loaded.optimizer.iterations.numpy()) == 2
    slots = [v.numpy() for v in loaded.optimizer.variables if v.shape]
    assert len(slots) == 2 * len(loaded.trainable_weights)
    assert any(s.any() for s in slots) == same
    loaded.fit(x, x, verbose=0)
