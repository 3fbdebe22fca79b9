"""Masks: what is held at zero, and the callback that holds it."""

import numpy as np
import pytest

import tt_nn
from tt_nn import UnknownNameError
from tt_perf.compression import KeepMasks, Masks
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError


@pytest.fixture
def model():
    return tt_nn.Linear(2, 2)


MASK = [[True, False], [False, True]]


def test_apply_sets_zeros_and_nothing_else(model):
    weight, bias = model.weight.array.copy(), model.bias.array.copy()
    masks = Masks(model, {"weight": MASK})
    masks.apply()
    assert np.array_equal(model.weight.array, np.where(MASK, weight, 0))
    assert np.array_equal(model.bias.array, bias)
    assert model.weight.dtype == np.float32
    assert dict(masks)["weight"].tolist() == MASK and masks.sparsity == 0.5
    assert repr(masks) == "Masks(1 weights, sparsity 50.0%)"


def test_nan_does_not_come_through(model):
    model.weight.write([[1.0, np.nan], [np.inf, 1.0]])
    Masks(model, {"weight": MASK}).apply()
    assert model.weight.array.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_a_mask_is_a_copy(model):
    given = np.array(MASK)
    masks = Masks(model, {"weight": given})
    given[:] = False
    assert masks["weight"].tolist() == MASK


def test_the_callback_remembers(model):
    callback = KeepMasks(Masks(model, {"weight": MASK}))
    model.weight.write(1)
    callback.on_step_end(None)
    assert model.weight.array.tolist() == [[1, 0], [0, 1]]
    other = KeepMasks(Masks(model, {"weight": np.ones((2, 2), bool)}))
    other.load_state_dict(callback.state_dict())
    model.weight.write(1)
    other.on_fit_start(None)
    assert model.weight.array.tolist() == [[1, 0], [0, 1]]


def test_bad_masks(model):
    with pytest.raises(UnknownNameError, match="'weights'"):
        Masks(model, {"weights": MASK})
    with pytest.raises(ShapeError, match=r"\(2, 2\), its mask \(2,\)"):
        Masks(model, {"weight": [True, False]})
    with pytest.raises(ArgumentError, match="bools"):
        Masks(model, {"weight": np.ones((2, 2))})
    with pytest.raises(DTypeError, match="a Module"):
        Masks(None, {})
    masks = Masks(model, {"weight": MASK})
    with pytest.raises(ArgumentError, match="no mask for 'bias'"):
        masks.update({"weight": np.ones((2, 2), bool), "bias": [True, True]})
    assert masks["weight"].tolist() == MASK
