"""cifar_cnn: shapes, counts, gradients, and the stem that whitens."""

import numpy as np
import pytest

from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.models import CifarCNN, cifar_cnn, whitening


def smooth_images(count=20, channels=3, seed=0):
    """Neighbours resemble each other, as in photographs."""
    noise = np.random.default_rng(seed).normal(size=(count, channels, 14, 15))
    return sum(noise[:, :, i : i + 11, j : j + 12] for i in range(3) for j in range(4)).astype(np.float32)


def test_parameters():
    model = cifar_cnn()
    wanted = 48 * 48 + 9 * (48 * 48 + 48 * 96 + 96 * 96) + 2 * (48 + 96 + 96) + 970
    assert sum(p.size for p in model.parameters()) == wanted == 148_906
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert frozen == ["stem.weight"]


def test_shapes():
    x, shapes = np.zeros((2, 3, 32, 32), np.float32), {}
    for name, layer in cifar_cnn().named_children():
        x = layer(x)
        shapes[name] = x.shape[1:]
    assert shapes["stem"] == (48, 16, 16)
    assert shapes["relu1"] == (48, 8, 8)
    assert shapes["relu2"] == (96, 4, 4)
    assert shapes["relu3"] == (96, 4, 4)
    assert shapes["pool"] == (96, 1, 1)
    assert shapes["fc"] == (10,)


def test_pooling_comes_before_batch_norm_where_a_block_halves():
    model = CifarCNN(blocks=((8, False), (8, True)))
    names = [name for name, _ in model.named_children()]
    assert names == [
        "stem",
        "relu0",
        "conv1",
        "bn1",
        "relu1",
        "conv2",
        "pool2",
        "bn2",
        "relu2",
        "pool",
        "flatten",
        "fc",
    ]


def test_gradients_by_hand(check_by_hand):
    model = CifarCNN(3, None, ((3, True), (4, False)), 2)
    check_by_hand(model, (3, 2, 8, 8))


def test_the_stem_gets_no_gradient_but_sends_it_on():
    model = CifarCNN(3, (3, 1, 1, 2), ((3, True),), 2)
    x = np.random.default_rng(0).normal(size=(3, 2, 8, 8)).astype(np.float32)
    dx = model.backward(np.ones_like(model(x).numpy()))
    assert dx.shape == x.shape and dx.numpy().any()
    assert model.stem.weight.grad is None
    assert model.conv1.weight.grad is not None


@pytest.mark.parametrize(("kernel", "components"), [(2, 12), (3, 27), (3, 5), (1, 2)])
def test_whitened_patches_are_uncorrelated_with_mean_square_one(kernel, components):
    images = smooth_images()
    filters = whitening(images, kernel, components, eps=0.0)
    assert filters.shape == (2 * components, 3, kernel, kernel) and filters.dtype == np.float32
    np.testing.assert_array_equal(filters[components:], -filters[:components])
    rows, columns = ((side - kernel) // 2 + 1 for side in images.shape[2:])
    patches = np.stack(
        [
            images[:, :, 2 * i : 2 * i + kernel, 2 * j : 2 * j + kernel].reshape(len(images), -1)
            for i in range(rows)
            for j in range(columns)
        ]
    ).reshape(-1, 3 * kernel * kernel)
    found = patches.astype(np.float64) @ filters[:components].reshape(components, -1).T
    np.testing.assert_allclose(found.T @ found / len(found), np.eye(components), atol=2e-3)


def test_whitening_takes_the_greatest_directions_first_and_eps_shrinks_the_small_ones():
    images = smooth_images()
    sharp, damped = (whitening(images, 3, 27, eps)[:27].reshape(27, -1) for eps in (0.0, 0.5))
    norms = np.linalg.norm(sharp, axis=1)  # 1 / √λ
    assert (np.diff(norms) > -1e-4 * norms[1:]).all()
    np.testing.assert_allclose(np.linalg.norm(damped, axis=1), 1 / np.sqrt(norms**-2 + 0.5), rtol=1e-3)


def test_whitening_of_many_images_is_that_of_all_of_them():
    images = smooth_images(600)
    doubled = np.concatenate([images, images])
    np.testing.assert_allclose(
        abs(whitening(doubled, 2, 4)), abs(whitening(images, 2, 4)), rtol=1e-3, atol=1e-4
    )


def test_whiten_sets_the_stem():
    model, images = CifarCNN(stem=(3, 1, 0, 6)), smooth_images()
    assert model.whiten(images) is model
    np.testing.assert_array_equal(model.stem.weight.numpy(), whitening(images, 3, 6))
    assert not model.stem.weight.requires_grad
    out = model.stem(images).numpy()
    np.testing.assert_allclose(out[:, 6:], -out[:, :6], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stem": (4, 2, 1)}, r"stem is \(kernel, stride, padding, components\)"),
        ({"stem": 4}, "stem is"),
        ({"stem": (4, 2, 1, 1.5)}, "stem has whole numbers"),
        ({"blocks": (32, 64)}, r"a block is \(channels, halve\)"),
        ({"blocks": 32}, "blocks is a row"),
        ({"blocks": ((-8, True),)}, "a block has whole numbers"),
        ({"num_classes": -1}, "out_features"),
    ],
)
def test_what_cannot_be_built(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        cifar_cnn(**arguments)


def test_what_cannot_be_whitened():
    with pytest.raises(ArgumentError, match="built with stem=None"):
        CifarCNN(stem=None).whiten(smooth_images())
    with pytest.raises(ShapeError, match="no patches of 4×4"):
        CifarCNN().whiten(np.zeros((1, 3, 3, 8), np.float32))
    with pytest.raises(ShapeError, match="no patches"):
        whitening(np.zeros((0, 3, 8, 8), np.float32), 2, 1)
    with pytest.raises(ArgumentError, match="1 to 12 components, not 13"):
        whitening(smooth_images(), 2, 13)
    with pytest.raises(ShapeError, match="must have 3 channels"):
        CifarCNN().whiten(smooth_images(channels=1))
