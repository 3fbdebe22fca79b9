"""Folded batch norms: the same outputs without them."""

import numpy as np
import pytest

from tt_nn import Identity, Linear, ReLU, Sequential
from tt_perf.compression import fold_batch_norm
from tt_tensor.errors import DTypeError


def norms(model):
    return [type(m).__name__ for m in model.modules() if "BatchNorm" in type(m).__name__]


def test_outputs_stay(cnn, rng):
    model = cnn()
    x = rng.normal(size=(3, 2, 8, 8))
    folded = fold_batch_norm(model)
    assert norms(folded) == [] and norms(model) == ["BatchNorm2d"] * 2
    assert isinstance(folded.n1, Identity) and folded.c2.bias is not None
    np.testing.assert_allclose(folded(x).array, model(x).array, rtol=1e-9, atol=1e-12)
    assert not any(module.training for module in folded.modules())


@pytest.mark.parametrize("positive", [True, False])
def test_through_a_max_pooling_only_where_scales_are_positive(vision, rng, positive):
    model = Sequential(vision.Conv2d(2, 4, 3), vision.MaxPool2d(2), vision.BatchNorm2d(4), ReLU()).double()
    scale = np.array([1.0, 0.5, 2.0, 0.1 if positive else -0.1])
    model[2].weight.write(scale)
    model[2].running_mean.write(rng.normal(size=4))
    model.eval()
    x = rng.normal(size=(3, 2, 8, 8))
    folded = fold_batch_norm(model)
    assert len(norms(folded)) == (0 if positive else 1)
    np.testing.assert_allclose(folded(x).array, model(x).array, rtol=1e-9, atol=1e-12)


def test_not_through_what_is_in_between(vision, rng):
    for between in (ReLU(), vision.AvgPool2d(2, padding=1)):
        model = Sequential(vision.Conv2d(2, 4, 3), between, vision.BatchNorm2d(4)).double().eval()
        assert len(norms(fold_batch_norm(model))) == 1


def test_a_norm_without_running_values_or_of_an_image_stays(vision):
    for norm in (
        vision.BatchNorm2d(4, track_running_stats=False),
        vision.InstanceNorm2d(4, track_running_stats=True),
    ):
        model = Sequential(vision.Conv2d(2, 4, 3), norm)
        assert fold_batch_norm(model)[1].__class__ is norm.__class__


def test_linear_and_batch_norm_1d(vision, rng):
    model = Sequential(Linear(3, 5), vision.BatchNorm1d(5, affine=False)).double().eval()
    model[1].running_mean.write(rng.normal(size=5))
    x = rng.normal(size=(4, 3))
    np.testing.assert_allclose(fold_batch_norm(model)(x).array, model(x).array, rtol=1e-9)
    assert norms(fold_batch_norm(model)) == []


def test_a_convolution_used_twice_stays(vision):
    conv, norm = vision.Conv2d(4, 4, 1), vision.BatchNorm2d(4)
    assert norms(fold_batch_norm(Sequential(conv, norm, conv))) == ["BatchNorm2d"]


def test_residual_blocks(vision, rng):
    from tt_vision.models import resnet20

    model = resnet20(shortcut="B").double().eval()
    for module in model.modules():
        if "BatchNorm" in type(module).__name__:
            module.running_mean.write(rng.normal(size=module.num_features) * 0.1)
            module.weight.write(rng.uniform(0.5, 1.5, module.num_features))
    x = rng.normal(size=(1, 3, 16, 16))
    folded = fold_batch_norm(model)
    assert norms(folded) == []
    np.testing.assert_allclose(folded(x).array, model(x).array, rtol=1e-7)


def test_takes_modules_only():
    with pytest.raises(DTypeError, match="a Module"):
        fold_batch_norm(None)


def halved(module, args, output):
    return output * 0.5


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("how", ["class", "object", "hook"])
def test_what_computes_otherwise_stays(vision, rng, place, how):
    """A forward of one's own, or a hook that changes outputs, on the convolution, between, and on the norm."""
    model = Sequential(vision.Conv2d(2, 4, 3), Identity(), vision.BatchNorm2d(4), ReLU()).double()
    model[2].running_mean.write(rng.normal(size=4))
    layer = model[place]
    kind = type(layer)
    if how == "class":

        class Halved(kind):
            def forward(self, x):
                return kind.forward(self, x) * 0.5

        layer.__class__ = Halved
    elif how == "object":
        layer.forward = lambda x: kind.forward(layer, x) * 0.5
    else:
        layer.register_forward_hook(halved)
    model.eval()
    x = rng.normal(size=(3, 2, 8, 8))
    folded = fold_batch_norm(model)
    np.testing.assert_allclose(folded(x).array, model(x).array, rtol=1e-9, atol=1e-12)
