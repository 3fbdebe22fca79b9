"""Compiled attention is the loops and NumPy's kernel, forth and back, for every form, mask and shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_perf.compiled.attention import ATTENTION
from tt_tensor import kernels
from tt_text.kernels.attention import AttentionForm


def drawn(shape, seed=0, dtype=np.float32):
    """q, k, v and a gradient for (N, H, G, T, S, D, E)."""
    n, h, g, t, s, d, e = shape
    rng = np.random.default_rng(seed)
    shapes = (n, h, t, d), (n, g, s, d), (n, g, s, e), (n, h, t, e)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def both_ways(kernel, q, k, v, grad, mask=None, drop=None, form=None, of_mask=False):
    form = form or AttentionForm(0.3)
    out = np.empty((*q.shape[:3], v.shape[3]), q.dtype)
    saved = kernel.forward(q, k, v, mask, drop, form, out)
    made = [np.empty(x.shape, x.dtype) for x in (q, k, v)]
    dmask = np.zeros(mask.shape, q.dtype) if of_mask else None
    kernel.backward(grad, q, k, v, mask, drop, form, out, saved, *made, dmask)
    return [out, *made, *([dmask] if of_mask else [])]


def assert_same(found, expected, tolerance=2e-5):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def exact(arrays, **options):
    """NumPy's kernel in double precision."""
    return both_ways(kernels.kernel("attention", "numpy"), *[a.astype(np.float64) for a in arrays], **options)


forms = st.builds(
    AttentionForm,
    st.just(0.3),
    st.booleans(),
    st.integers(-3, 20),
    st.none() | st.integers(1, 40),
    st.just(1.25),
)


@given(
    st.tuples(*[st.integers(1, 2)] * 2), st.integers(1, 2), st.integers(0, 40), st.integers(0, 40),
    st.integers(1, 40), st.integers(1, 40), forms, st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_numpys_kernel_for_every_form(lead, many, t, s, d, e, form, seed):
    arrays = drawn((lead[0], lead[1] * many, lead[1], t, s, d, e), seed)
    assert_same(both_ways(ATTENTION, *arrays, form=form), exact(arrays, form=form))


@given(
    st.integers(4, 40),
    st.integers(1, 40),
    st.sampled_from(["bits", "numbers"]),
    forms,
    st.integers(0, 99),
    st.data(),
)
@settings(max_examples=80, deadline=None)
def test_masks_and_dropout(t, s, kind, form, seed, data):
    arrays = drawn((2, 4, 2, t, s, 8, 8), seed)
    rng = np.random.default_rng(seed)
    shape = tuple(size if data.draw(st.booleans()) else 1 for size in (2, 4, t, s))
    mask = rng.random(shape) < 0.7 if kind == "bits" else rng.normal(size=shape).astype(np.float32)
    drop = rng.random((2, 4, t, s)) < 0.8 if data.draw(st.booleans()) else None
    assert_same(
        both_ways(ATTENTION, *arrays, mask=mask, drop=drop, form=form),
        exact(arrays, mask=mask, drop=drop, form=form),
        1e-4,
    )


@pytest.mark.parametrize(
    "form", [AttentionForm(0.4, True), AttentionForm(0.4, True, 2, 3), AttentionForm(0.4)]
)
def test_the_loops(form):
    arrays = drawn((1, 2, 1, 6, 8, 3, 4), 1)
    assert_same(
        both_ways(ATTENTION, *arrays, form=form),
        both_ways(kernels.kernel("attention", "loops"), *arrays, form=form),
    )


@pytest.mark.parametrize("shape", [(1, 2, 1, 300, 300, 64, 64), (2, 2, 2, 100, 333, 24, 40)])
def test_long_sequences(shape):
    arrays = drawn(shape)
    form = AttentionForm(0.2, True, shape[4] - shape[3])
    assert_same(both_ways(ATTENTION, *arrays, form=form), exact(arrays, form=form), 1e-4)


@pytest.mark.parametrize("heads_apart", [True, False])
def test_heads_that_lie_side_by_side_in_one_array(heads_apart):
    packed = np.random.default_rng(0).normal(size=(2, 20, 6 * 16)).astype(np.float32)
    x = packed.reshape(2, 20, 6, 16).swapaxes(1, 2)
    q, k, v = x[:, :2], x[:, 2:4], x[:, 4:]
    grad = np.random.default_rng(1).normal(size=q.shape).astype(np.float32)
    grad = grad if heads_apart else np.broadcast_to(np.float32(1), q.shape)
    arrays = q, k, v, grad
    assert_same(both_ways(ATTENTION, *arrays), exact(arrays))


def test_a_query_that_sees_nothing_gives_zeros_and_sends_nothing():
    arrays = drawn((1, 1, 1, 8, 8, 4, 4))
    mask = np.ones((1, 1, 8, 8), bool)
    mask[0, 0, 3] = False
    out, dq, dk, dv = both_ways(ATTENTION, *arrays, mask=mask)
    assert not out[0, 0, 3].any() and not dq[0, 0, 3].any()
    assert np.isfinite(dk).all() and np.isfinite(dv).all()
    minus = np.where(mask, 0, -np.inf).astype(np.float32)
    assert_same(both_ways(ATTENTION, *arrays, mask=minus), [out, dq, dk, dv])


def test_scores_of_any_size():
    q, k, v, grad = drawn((1, 2, 2, 9, 9, 8, 8))
    for factor in (1e4, 1e-4):
        arrays = q * np.float32(factor), k, v, grad
        out, *_ = both_ways(ATTENTION, *arrays)
        expected, *_ = exact(arrays)
        np.testing.assert_allclose(out, expected, rtol=1e-3, atol=1e-3)


def test_nan_spoils_the_query_that_it_is_in():
    q, k, v, grad = drawn((1, 1, 1, 8, 8, 4, 4))
    q[0, 0, 2, 1] = np.nan
    with np.errstate(invalid="ignore"):
        out = both_ways(ATTENTION, q, k, v, grad)[0]
        expected = both_ways(kernels.kernel("attention", "numpy"), q, k, v, grad)[0]
    np.testing.assert_array_equal(np.isnan(out), np.isnan(expected))
    assert np.isnan(out[0, 0, 2]).all() and np.isfinite(out[0, 0, :2]).all()


def test_the_gradient_of_a_mask_of_numbers():
    arrays = drawn((2, 2, 1, 6, 7, 4, 4))
    mask = np.random.default_rng(3).normal(size=(1, 2, 6, 7)).astype(np.float32)
    assert_same(
        both_ways(ATTENTION, *arrays, mask=mask, of_mask=True), exact(arrays, mask=mask, of_mask=True)
    )


@pytest.mark.parametrize("shape", [(0, 2, 2, 5, 5, 4, 4), (1, 2, 2, 5, 0, 4, 4), (1, 1, 1, 1, 9, 4, 4)])
def test_what_does_not_suit_goes_to_numpy(shape):
    for dtype in (np.float32, np.float64):
        arrays = drawn(shape, dtype=dtype)
        for ours, theirs in zip(
            both_ways(ATTENTION, *arrays),
            both_ways(kernels.kernel("attention", "numpy"), *arrays),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_arrays_that_nobody_may_write_to():
    arrays = drawn((1, 2, 2, 8, 8, 4, 4))
    expected = both_ways(ATTENTION, *arrays)
    for array in arrays:
        array.flags.writeable = False
    assert_same(both_ways(ATTENTION, *arrays), expected, 0)
