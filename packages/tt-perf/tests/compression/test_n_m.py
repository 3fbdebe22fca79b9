"""N:M: of every M neighbours along the inputs, the N largest stay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn
from tt_perf.compression import is_n_m, prune_n_m
from tt_perf.compression.n_m import n_m_masks
from tt_tensor.errors import ArgumentError, ShapeError


@given(outputs=st.integers(1, 4), groups=st.integers(1, 4), m=st.integers(1, 5), data=st.data())
def test_against_plain_loops(outputs, groups, m, data):
    n = data.draw(st.integers(1, m))
    model = tt_nn.Linear(groups * m, outputs)
    weight = (
        np.random.default_rng(data.draw(st.integers(0, 99)))
        .normal(size=model.weight.shape)
        .astype(np.float32)
    )
    model.weight.write(weight)
    prune_n_m(model, n, m)
    for row in range(outputs):
        for start in range(0, groups * m, m):
            group = weight[row, start : start + m]
            stay = sorted(range(m), key=lambda at: -abs(group[at]))[:n]
            for at in range(m):
                assert model.weight.array[row, start + at] == (group[at] if at in stay else 0)
    assert is_n_m(model.weight, n, m)


def test_a_convolution_goes_along_its_channels(cnn):
    model = cnn()
    masks = prune_n_m(model)
    assert list(masks) == ["c2.weight", "c3.weight", "fc.weight"]  # c1 has two channels
    mask = masks["c2.weight"]
    assert mask.shape == (12, 8, 3, 3) and mask.flags.c_contiguous
    assert (mask.reshape(12, 2, 4, 3, 3).sum(axis=2) == 2).all()
    assert masks.sparsity == 0.5


def test_equal_weights():
    model = tt_nn.Linear(4, 1)
    model.weight.write([[1.0, -1.0, 1.0, 1.0]])
    assert prune_n_m(model)["weight"].tolist() == [[True, True, False, False]]


def test_is_n_m():
    assert is_n_m([[1.0, 0, 0, 2]]) and not is_n_m([[1.0, 1, 0, 2]])
    assert is_n_m(np.zeros((0, 4)))
    with pytest.raises(ShapeError, match="groups of 4"):
        is_n_m([[1.0, 0, 0]])


def test_bad_arguments():
    model = tt_nn.Sequential(tt_nn.Linear(8, 6), tt_nn.Linear(6, 2))
    assert list(n_m_masks(model)) == ["0.weight"]
    for n, m in ((0, 4), (5, 4), (2, 0), (1.0, 4), (True, 4)):
        with pytest.raises(ArgumentError, match=r"whole number|can stay"):
            prune_n_m(model, n, m)
    with pytest.raises(ArgumentError, match=r"4 does not divide .* 1.weight \(2, 6\)"):
        prune_n_m(model, layers=["1"])
    with pytest.raises(ArgumentError, match="does not divide"):
        prune_n_m(model, 2, 5)
