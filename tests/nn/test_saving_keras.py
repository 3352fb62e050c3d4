"""Files that the real Keras 3.15.1 wrote (tests/data, made by make_keras_files.py) open, and training goes on."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn.saving import keras_words
from graphnet.nn.saving.paths import keras_paths

pytest.importorskip("h5py")
DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def results():
    with np.load(DATA / "keras_files.npz") as file:
        return dict(file)


def opened(name, **options):
    try:
        return gn.nn.load_model(DATA / f"{name}.keras", **options)
    except gn.nn.saving.FileError as error:
        if "graphnet does not have" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("name", ["mlp", "cnn", "rnn"])
def test_a_file_of_keras_predicts_as_there(name, results):
    model = opened(name)
    np.testing.assert_allclose(model.predict(results[f"{name}_x"]), results[f"{name}_before"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["mlp", "cnn", "rnn"])
def test_training_goes_on_as_there(name, results):
    model = opened(name)
    x, y = results[f"{name}_x"], results[f"{name}_y"]
    assert int(model.optimizer.iterations.numpy()) == 4
    model.fit(x, y, epochs=1, batch_size=8, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.predict(x), results[f"{name}_after"], rtol=2e-5, atol=2e-6)


def test_compile_settings_are_those_of_the_file():
    model = opened("mlp")
    assert type(model.optimizer).__name__ == "Adam" and float(model.optimizer.learning_rate) == 0.001
    assert model.metrics_names == ["loss", "accuracy"]
    assert model.layers[0].kernel_regularizer.l2 == 0.01
    assert model.layers[-1].name == "out"
    assert opened("mlp", compile=False).optimizer is None


def test_a_schedule_goes_on():
    model = opened("cnn")
    assert model.optimizer.schedule.decay_rate == 0.5
    assert float(model.optimizer.learning_rate) == pytest.approx(0.025)


@pytest.mark.parametrize("name", ["mlp", "cnn", "rnn"])
def test_what_is_written_has_the_paths_and_shapes_of_keras(name, tmp_path):
    import h5py

    opened(name).save(tmp_path / "again.keras")

    def listed(path):
        found = {}
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
            with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
                file.visititems(lambda key, item: found.setdefault(key, (getattr(item, "shape", None), values(item))))
        return found

    def values(item):
        return None if not hasattr(item, "shape") else (item.dtype.name, item[()].tobytes())

    theirs, ours = listed(DATA / f"{name}.keras"), listed(tmp_path / "again.keras")
    assert set(ours) == set(theirs)
    for key, entry in theirs.items():
        assert ours[key] == entry, key


def test_56_configurations_have_keras_words(tmp_path):
    model = gn.nn.Sequential([gn.nn.Input((6,)), gn.nn.Dense(2, activation="relu", kernel_regularizer="l2")])
    model.compile(gn.nn.optimizers.Adam(0.01), "mse", metrics=["mae", "accuracy"])
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        config = json.loads(archive.read("config.json"))
    front, dense = config["config"]["layers"]
    assert config["module"] == "keras" and config["build_config"] == {"input_shape": [None, 6]}
    assert front["config"]["batch_shape"] == [None, 6]
    assert dense["module"] == "keras.layers" and dense["config"]["activation"] == "relu"
    assert dense["config"]["dtype"]["config"] == {"name": "float32"}
    assert dense["config"]["kernel_regularizer"]["module"] == "keras.regularizers"
    assert config["compile_config"]["optimizer"]["config"]["learning_rate"] == 0.01
    assert config["compile_config"]["metrics"][1] == "accuracy"
    assert set(dense["config"]) <= keras_words.known_keys("layers", "Dense")


def changed(tmp_path, change):
    """The file `mlp.keras` with another configuration."""
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(DATA / "mlp.keras") as archive, zipfile.ZipFile(path, "w") as out:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            out.writestr(name, content)
    return path


def layer_of(config, kind):
    return next(layer["config"] for layer in config["config"]["layers"] if layer["class_name"] == kind)


def test_keys_without_a_word_are_dropped_at_their_default_and_named_otherwise(tmp_path):
    def harmless(config):
        layer_of(config, "Dense")["quantization_config"] = None

    gn.nn.load_model(changed(tmp_path, harmless))

    def telling(config):
        layer_of(config, "Dense")["quantization_config"] = {"bits": 8}

    with pytest.raises(gn.nn.saving.FileError, match=r"Dense has quantization_config=\{'bits': 8\}"):
        gn.nn.load_model(changed(tmp_path, telling))


def test_classes_that_are_not_known_are_named(tmp_path):
    def foreign(config):
        config["config"]["layers"][1]["class_name"] = "Danse"

    with pytest.raises(gn.nn.saving.FileError, match=r"Danse, which graphnet does not have. Did you mean 'Dense'"):
        gn.nn.load_model(changed(tmp_path, foreign))

    def own(config):
        config["config"]["layers"][1] |= {"module": None, "registered_name": "Custom>Mine", "class_name": "Mine"}

    with pytest.raises(gn.nn.saving.FileError, match=r"'Mine'.*custom_objects"):
        gn.nn.load_model(changed(tmp_path, own))


def test_code_of_lambdas_is_refused(tmp_path):
    def code(config):
        layer = config["config"]["layers"][1]
        layer["config"]["activation"] = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None}}

    path = changed(tmp_path, code)
    for safe_mode in (True, False):
        with pytest.raises(gn.nn.saving.FileError, match="never run"):
            gn.nn.load_model(path, safe_mode=safe_mode)


def test_weights_of_a_keras_file_alone(results):
    model = opened("mlp")
    other = gn.nn.clone_model(model)
    assert not np.array_equal(other.get_weights()[0], model.get_weights()[0])
    other.load_weights(DATA / "mlp.keras")
    np.testing.assert_array_equal(other.predict(results["mlp_x"]), model.predict(results["mlp_x"]))
    assert list(keras_paths(model))[:2] == ["layers/dense/vars/0", "layers/dense/vars/1"]


def test_what_keras_has_no_word_for(tmp_path):
    x, y = np.ones((4, 3)), np.zeros((4, 1))
    classic = gn.nn.Sequential([gn.nn.Layer(size=3), gn.nn.Layer(size=1, type="dropout")])
    with pytest.raises(ValueError, match=r"Keras has no ClassicLayer.*\.graphnet holds it"):
        classic.save(tmp_path / "a.keras")
    model = gn.nn.Sequential([gn.nn.Input((3,)), gn.nn.Dense(1)])
    model.compile("sgd", "mse", penalty="ridge", weight_penalty=0.1)
    model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match="kernel_regularizer"):
        model.save(tmp_path / "a.keras")
    assert list(tmp_path.iterdir()) == []
