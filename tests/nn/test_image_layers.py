"""Layers of images: what a given transformation makes of them, what is drawn in training, sizes, files."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

rng = np.random.default_rng(0)
IMAGES = (rng.random((3, 7, 10, 2)) * 255).astype("float32")
SMALL = np.arange(12, dtype="float32").reshape(1, 3, 4, 1) * 10

# Keras 3.15 on JAX: 20 degrees; 1.3 down and 0.6 across; 1.25 to the right and half a pixel up.
ROTATED = {
    "reflect": [4.325, 13.722, 32.371, 52.934, 20.383, 43.461, 66.539, 89.617, 57.066, 77.629, 96.278, 105.675],
    "constant": [2.82, 12.313, 32.371, 39.869, 20.383, 43.461, 66.539, 89.617, 42.962, 77.629, 85.731, 58.286],
    "wrap": [40.543, 22.578, 32.371, 45.387, 20.383, 43.461, 66.539, 89.617, 64.613, 77.629, 87.422, 69.457],
    "nearest": [4.325, 13.722, 32.371, 52.934, 20.383, 43.461, 66.539, 89.617, 57.066, 77.629, 96.278, 105.675],
}
ZOOMED = {
    "reflect": [6, 12, 18, 24, 46, 52, 58, 64, 86, 92, 98, 104],
    "constant": [4.5, 8.7, 12.9, 17.1, 46, 52, 58, 64, 60.5, 64.7, 68.9, 73.1],
    "wrap": [30, 36, 42, 48, 46, 52, 58, 64, 62, 68, 74, 80],
    "nearest": [6, 12, 18, 24, 46, 52, 58, 64, 86, 92, 98, 104],
}
MOVED = {
    "reflect": [22.5, 20, 27.5, 37.5, 62.5, 60, 67.5, 77.5, 82.5, 80, 87.5, 97.5],
    "constant": [1, 15.25, 27.5, 37.5, 1, 45.25, 67.5, 77.5, 1, 30.625, 44.25, 49.25],
    "wrap": [47.5, 27.5, 27.5, 37.5, 87.5, 67.5, 67.5, 77.5, 67.5, 47.5, 47.5, 57.5],
    "nearest": [20, 20, 27.5, 37.5, 60, 60, 67.5, 77.5, 80, 80, 87.5, 97.5],
}
AFFINE = [
    (nn.RandomRotation, (0.3,), {"angle": [20.0]}, ROTATED),
    (nn.RandomZoom, (0.3,), {"height_zoom": [[1.3]], "width_zoom": [[0.6]]}, ZOOMED),
    (nn.RandomTranslation, (0.3, 0.2), {"translations": [[1.25, -0.5]]}, MOVED),
]
RANDOM = [
    lambda **k: nn.RandomFlip(**k),
    lambda **k: nn.RandomRotation(0.2, **k),
    lambda **k: nn.RandomZoom(0.4, (-0.3, 0.5), **k),
    lambda **k: nn.RandomZoom(0.4, **k),
    lambda **k: nn.RandomTranslation(0.4, 0.3, **k),
    lambda **k: nn.RandomContrast(0.5, **k),
    lambda **k: nn.RandomBrightness(0.3, **k),
    lambda **k: nn.RandomCrop(4, 5, **k),
]


@pytest.mark.parametrize("kind, args, transformation, want", AFFINE)
@pytest.mark.parametrize("fill_mode", ROTATED)
def test_values_of_keras(kind, args, transformation, want, fill_mode):
    layer = kind(*args, fill_mode=fill_mode, fill_value=1.0)
    np.testing.assert_allclose(
        layer.transform_images(SMALL, transformation).numpy().ravel(), want[fill_mode], atol=2e-3
    )


@pytest.mark.parametrize("kind, args, _, __", AFFINE)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize(
    "mode, scipys",
    [("reflect", "reflect"), ("constant", "grid-constant"), ("wrap", "grid-wrap"), ("nearest", "nearest")],
)
def test_what_is_drawn_moves_pixels_as_scipy_does(kind, args, _, __, interpolation, mode, scipys):
    ndimage = pytest.importorskip("scipy.ndimage")
    layer = kind(*args, fill_mode=mode, interpolation=interpolation, fill_value=9.0, seed=1)
    drawn = layer.get_random_transformation(IMAGES)
    maps = layer.maps(drawn, 7, 10).numpy().astype("float64")
    got = layer.transform_images(IMAGES, drawn).numpy()
    row, column = np.mgrid[:7, :10].astype("float64")
    for image, m, result in zip(IMAGES, maps, got, strict=True):
        places = np.array([m[3] * column + m[4] * row + m[5], m[0] * column + m[1] * row + m[2]])
        order = 1 if interpolation == "bilinear" else 0
        if order == 0 and (np.abs(places % 1 - 0.5) < 1e-3).any():
            continue  # in the middle between two pixels
        for channel in range(2):
            want = ndimage.map_coordinates(image[..., channel], places, order=order, mode=scipys, cval=9.0)
            np.testing.assert_allclose(result[..., channel], want, atol=0.02)


def test_flips_contrast_and_brightness():
    flips = {"flips": np.array([True, False, True])}
    for mode, axes in (("horizontal", (1,)), ("vertical", (0,)), ("horizontal_and_vertical", (0, 1))):
        y = nn.RandomFlip(mode).transform_images(IMAGES, flips).numpy()
        np.testing.assert_array_equal(y[1], IMAGES[1])
        np.testing.assert_array_equal(y[0], np.flip(IMAGES[0], axes))
    factor = np.array([0.5, 1.0, 1.5]).reshape(3, 1, 1, 1)
    mean = IMAGES.mean((1, 2), keepdims=True)
    want = np.clip((IMAGES - mean) * factor + mean, 0, 255)
    y = nn.RandomContrast(0.5).transform_images(IMAGES, {"contrast_factor": factor})
    np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-3)
    y = nn.RandomBrightness(0.5, value_range=(0, 200)).transform_images(IMAGES, {"rgb_delta": factor * 40})
    np.testing.assert_allclose(y, np.clip(IMAGES + factor * 40, 0, 200), rtol=1e-6)


@pytest.mark.parametrize("make", RANDOM)
def test_training_only_by_a_seed_for_each_image(make):
    layer, again, other = make(seed=1), make(seed=1), make(seed=2)
    calls = [[each(IMAGES, training=True).numpy() for _ in range(3)] for each in (layer, again, other)]
    for a, b, c in zip(*calls, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == np.float32
        assert isinstance(layer, (nn.RandomCrop, nn.RandomFlip)) or not np.array_equal(a, c)
    assert len({a.tobytes() for a in calls[0]}) > 1
    quiet = layer(IMAGES).numpy()
    if not isinstance(layer, nn.RandomCrop):
        np.testing.assert_array_equal(quiet, IMAGES)
        assert layer.get_random_transformation(IMAGES, training=False) is None
    assert quiet.shape == calls[0][0].shape
    # One image alone is a batch of one.
    one = make(seed=1)(IMAGES[0], training=True)
    np.testing.assert_array_equal(one, make(seed=1)(IMAGES[:1], training=True)[0])


@pytest.mark.parametrize("make", RANDOM)
def test_channels_first(make):
    a, b = make(seed=3), make(seed=3, data_format="channels_first")
    y = b(np.moveaxis(IMAGES, -1, 1), training=True).numpy()
    np.testing.assert_allclose(np.moveaxis(y, 1, -1), a(IMAGES, training=True), atol=1e-4)


def test_what_is_drawn_is_within_the_limits():
    many = np.zeros((400, 4, 6, 1), "float32")
    drawn = nn.RandomRotation((-0.1, 0.3), seed=0).get_random_transformation(many)["angle"].numpy()
    assert -36 <= drawn.min() < -30 and 102 < drawn.max() <= 108
    found = nn.RandomZoom(0.2, (-0.5, 0.0), seed=0).get_random_transformation(many)
    assert 0.8 <= found["height_zoom"].numpy().min() < 0.82 and 1.18 < found["height_zoom"].numpy().max() <= 1.2
    assert found["width_zoom"].numpy().min() >= 0.5 and found["width_zoom"].numpy().max() <= 1
    moves = nn.RandomTranslation(0.5, (0.0, 0.5), seed=0).get_random_transformation(many)["translations"].numpy()
    assert np.abs(moves[:, 1]).max() <= 2 and moves[:, 0].min() >= 0 and 2.8 < moves[:, 0].max() <= 3
    contrast = nn.RandomContrast(0.4, seed=0).get_random_transformation(many)["contrast_factor"].numpy()
    assert contrast.shape == (400, 1, 1, 1) and 0.6 <= contrast.min() < 0.62 and 1.38 < contrast.max() <= 1.4
    light = nn.RandomBrightness(0.2, (0, 100), seed=0).get_random_transformation(many)["rgb_delta"].numpy()
    assert -20 <= light.min() < -19 and 19 < light.max() <= 20
    flips = nn.RandomFlip(seed=0).get_random_transformation(many)["flips"].numpy()
    assert 0.4 < flips.mean() < 0.6
    layer = nn.RandomCrop(2, 3, seed=0)
    starts = {tuple(int(n) for n in layer.get_random_transformation(many)) for _ in range(200)}
    assert starts == {(a, b) for a in range(3) for b in range(4)}


def test_crops_and_sizes():
    y = nn.RandomCrop(4, 5).transform_images(IMAGES, (2, 3))
    np.testing.assert_array_equal(y, IMAGES[:, 2:6, 3:8])
    np.testing.assert_array_equal(nn.CenterCrop(4, 5)(IMAGES), IMAGES[:, 1:5, 2:7])
    np.testing.assert_array_equal(nn.CenterCrop(4, 5)(IMAGES[0]), IMAGES[0, 1:5, 2:7])
    for layer in (nn.CenterCrop(14, 20), nn.RandomCrop(14, 20), nn.Resizing(14, 20)):
        assert layer(IMAGES).shape == (3, 14, 20, 2) and layer.compute_output_shape((None, 7, 10, 2)) == (
            None,
            14,
            20,
            2,
        )
    # Twice the size: between two pixels a quarter of the one and three of the other.
    up = nn.Resizing(3, 8)(SMALL).numpy()[0, 0, :, 0]
    np.testing.assert_allclose(up, [0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30])
    near = nn.Resizing(6, 8, interpolation="nearest")(SMALL).numpy()
    np.testing.assert_array_equal(near, SMALL.repeat(2, 1).repeat(2, 2))
    assert nn.Resizing(4, 4, crop_to_aspect_ratio=True)(IMAGES).shape == (3, 4, 4, 2)
    np.testing.assert_array_equal(nn.Resizing(7, 7, crop_to_aspect_ratio=True)(IMAGES), IMAGES[:, :, 1:8])


@pytest.mark.parametrize("make", RANDOM)
def test_gradients_reach_the_images(make):
    layer = make(seed=4)
    x = IMAGES[:2].astype("float64") * 0.4 + 60
    layer._dtype = np.dtype("float64")
    drawn = layer.get_random_transformation(x)
    f = lambda v: gn.sum(layer.transform_images(v, drawn) ** 2)  # noqa: E731
    g, step = gn.grad(f)(x), rng.normal(size=x.shape)
    slope = (float(f(x + 1e-4 * step)) - float(f(x - 1e-4 * step))) / 2e-4
    assert float((g.numpy() * step).sum()) == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("ending", ["graphnet", "keras"])
def test_a_model_of_them_trains_is_saved_and_cloned(tmp_path, ending):
    if ending == "keras":
        pytest.importorskip("h5py")
    nn.set_random_seed(0)
    layers = [make(seed=n) for n, make in enumerate(RANDOM)]
    model = nn.Sequential([nn.Input((7, 10, 2)), *layers, nn.Rescaling(1 / 255), nn.Flatten(), nn.Dense(1)])
    model.compile("adam", "mse")
    histories = []
    for eager in (True, False):
        nn.set_random_seed(1)
        copy = nn.clone_model(model)
        copy.set_weights(model.get_weights())
        copy.compile("sgd", "mse", run_eagerly=eager)
        x = np.tile(IMAGES, (20, 1, 1, 1))
        histories.append(copy.fit(x, x.mean((1, 2, 3)) / 255, batch_size=4, epochs=1, verbose=0).history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-4)
    model.save(tmp_path / f"m.{ending}")
    again = nn.load_model(tmp_path / f"m.{ending}")
    np.testing.assert_allclose(again.predict(IMAGES), model.predict(IMAGES), rtol=1e-6)
    for a, b in zip(model.layers, again.layers, strict=True):
        given = [{k: tuple(v) if isinstance(v, list) else v for k, v in x.get_config().items()} for x in (a, b)]
        assert given[0] == given[1]


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: nn.RandomFlip("diagonal"), "mode of RandomFlip 'diagonal'"),
        (lambda: nn.RandomRotation(1.5), "RandomRotation: factor is a number"),
        (lambda: nn.RandomRotation("a"), "RandomRotation: factor is a number"),
        (lambda: nn.RandomRotation((0.1, 0.2, 0.3)), "RandomRotation: factor is a number"),
        (lambda: nn.RandomRotation(0.1, fill_mode="mirror"), "fill_mode of RandomRotation"),
        (lambda: nn.RandomZoom(0.1, interpolation="cubic"), "interpolation of RandomZoom"),
        (lambda: nn.RandomZoom(-1.0), "RandomZoom: height_factor"),
        (lambda: nn.RandomTranslation(0.1, None), "RandomTranslation: width_factor"),
        (lambda: nn.RandomContrast(-0.1), "RandomContrast: factor"),
        (lambda: nn.RandomContrast(0.1, value_range=5), "value_range is a pair"),
        (lambda: nn.RandomBrightness(float("nan")), "RandomBrightness: factor"),
        (lambda: nn.RandomCrop(0, 3), "RandomCrop: height"),
        (lambda: nn.Resizing(3, 3, interpolation="area"), "interpolation of Resizing"),
        (lambda: nn.RandomRotation(0.1, fill_value=float("inf")), "fill_value is a number"),
        (lambda: nn.RandomFlip(data_format="last"), "data_format"),
        (lambda: nn.RandomFlip()(np.ones((3, 4))), "takes images"),
    ],
)
def test_what_can_not_be_right_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
