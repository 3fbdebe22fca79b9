"""Each kernel of attention is the loops, forth and back, for every form, mask and shape; also in blocks of a few."""

import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_text.kernels.attention as choosing
import tt_text.kernels.attention_blockwise as blockwise
from tt_nn import shards
from tt_tensor import kernels
from tt_text.kernels.attention import AttentionForm
from tt_text.kernels.attention_form import in_sight, sight

FAST = ["plain", "blockwise", "numpy"]


@st.composite
def problems(draw):
    """q, k, v, mask, drop, form, the gradient of out."""
    n, groups, shared = draw(st.integers(0, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    t, s = draw(st.integers(0, 7)), draw(st.integers(0, 7))
    d, e = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    h = groups * shared
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    q, k, v, grad = (
        rng.normal(size=shape) for shape in ((n, h, t, d), (n, groups, s, d), (n, groups, s, e), (n, h, t, e))
    )
    mask = drop = None
    kind = draw(st.sampled_from(["none", "bool", "number", "-inf"]))
    if kind != "none":
        shape = tuple(draw(st.sampled_from([1, size])) for size in (n, h, t, s))
        mask = rng.random(shape) < 0.6 if kind == "bool" else rng.normal(size=shape)
        if kind == "-inf":
            mask[rng.random(shape) < 0.4] = -np.inf
    if draw(st.booleans()):
        drop = rng.random((n, h, t, s)) < 0.6
    form = AttentionForm(
        draw(st.sampled_from([0.3, 1.0, -0.5])),
        draw(st.booleans()),
        draw(st.integers(-4, 4)),
        draw(st.sampled_from([None, None, 1, 2, 3, 20])),
        draw(st.sampled_from([1.0, 2.5, 0.0])),
    )
    return q, k, v, mask, drop, form, grad


def results(name, q, k, v, mask, drop, form, grad):
    """out and all gradients."""
    kernel = kernels.kernel("attention", name)
    out = np.full(grad.shape, np.nan, q.dtype)
    saved = kernel.forward(q, k, v, mask, drop, form, out)
    made = [np.full(x.shape, np.nan, q.dtype) for x in (q, k, v)]
    dmask = np.zeros(mask.shape, q.dtype) if mask is not None and mask.dtype.kind == "f" else None
    kernel.backward(grad, q, k, v, mask, drop, form, out, saved, *made, dmask)
    return {"out": out, "dq": made[0], "dk": made[1], "dv": made[2], "dmask": dmask}


def same(found, wanted, rtol=1e-9, atol=1e-11):
    for name, value in wanted.items():
        if value is None:
            assert found[name] is None
        else:
            assert found[name].dtype == value.dtype
            np.testing.assert_allclose(found[name], value, rtol=rtol, atol=atol, err_msg=name)


def small_blocks(patch, queries=2, keys=3):
    patch.setattr(blockwise, "QUERIES", queries)
    patch.setattr(blockwise, "KEYS", keys)


@given(problems())
def test_plain_is_the_loops(problem):
    same(results("plain", *problem), results("loops", *problem))


@given(problems(), st.integers(1, 4), st.integers(1, 4))
def test_blockwise_is_the_loops_whatever_the_blocks(problem, queries, keys):
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch, queries, keys)
        same(results("blockwise", *problem), results("loops", *problem))


@settings(max_examples=60)
@given(problems(), st.integers(0, 30))
def test_the_default_is_the_loops_on_both_sides_of_its_choice(problem, large):
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch)
        patch.setattr(choosing, "LARGE", large)
        same(results("numpy", *problem), results("loops", *problem))


@settings(max_examples=40)
@given(problems())
def test_float32_stays_and_is_near(problem):
    *arrays, form, grad = problem
    single = [x if x is None or x.dtype.kind == "b" else x.astype(np.float32) for x in arrays]
    wanted = results("loops", *problem)
    for name in FAST:
        found = results(name, *single, form, grad.astype(np.float32))
        for key, value in wanted.items():
            if value is not None:
                assert found[key].dtype == np.float32
                np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=2e-5, err_msg=f"{name} {key}")


def test_the_default_takes_blocks_for_many_scores_only():
    q, few = np.ones((1, 1, 512, 2)), np.ones((1, 1, 511, 2))
    assert choosing._choice(q, q) is choosing.BLOCKWISE and choosing._choice(q, few) is choosing.PLAIN
    # One query at the end of a long row of keys, as in decoding.
    assert choosing._choice(q[:, :, :1], np.ones((1, 1, choosing.LARGE, 2))) is choosing.PLAIN


@pytest.mark.parametrize(
    "form", [AttentionForm(0.5), AttentionForm(0.5, True), AttentionForm(0.5, True, 3, 200)], ids=str
)
@pytest.mark.parametrize(("t", "s"), [(130, 257), (128, 256), (257, 130), (1, 300), (300, 1)])
def test_blocks_as_large_as_they_are(form, t, s):
    rng = np.random.default_rng(t)
    q, k, v = (rng.normal(size=shape) for shape in ((2, 4, t, 3), (2, 2, s, 3), (2, 2, s, 2)))
    grad = rng.normal(size=(2, 4, t, 2))
    for drop in (None, rng.random((2, 4, t, s)) < 0.5):
        problem = (q, k, v, None, drop, form, grad)
        same(results("blockwise", *problem), results("plain", *problem), atol=1e-10)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_far_from_zero(name, dtype):
    """At ±1e4 exp overflows or vanishes, unless a row's largest score goes off first."""
    rng = np.random.default_rng(0)
    q, k, v = (
        rng.integers(-3, 4, shape).astype(dtype) for shape in ((1, 2, 5, 2), (1, 1, 7, 2), (1, 1, 7, 3))
    )
    grad = rng.normal(size=(1, 2, 5, 3)).astype(dtype)
    for scale in (2e3, -2e3):
        for mask in (None, np.full((1, 1, 1, 7), 1e4, dtype), np.full((1, 1, 1, 7), -1e4, dtype)):
            problem = (q, k, v, mask, None, AttentionForm(scale, True, 2), grad)
            with pytest.MonkeyPatch.context() as patch:
                small_blocks(patch)
                found = results(name, *problem)
            same(found, results("loops", *problem), rtol=1e-4, atol=1e-2 if dtype is np.float32 else 1e-8)
            assert all(np.isfinite(part).all() for part in found.values() if part is not None)


@pytest.mark.parametrize("name", FAST)
def test_one_row_far_below_the_others(name):
    """exp of scores at -800 is 0 in float64: such a row needs a shift of its own, whatever the others need."""
    rng = np.random.default_rng(1)
    q, k, v = (rng.normal(size=(1, 1, 4, 2)) for _ in range(3))
    mask = np.zeros((1, 1, 4, 1))
    mask[0, 0, 2] = -800.0
    problem = (q, k, v, mask, None, AttentionForm(0.5), rng.normal(size=(1, 1, 4, 2)))
    same(results(name, *problem), results("loops", *problem), rtol=1e-7)


@pytest.mark.parametrize("name", FAST)
def test_a_row_that_sees_nothing_is_zero_and_silent(name):
    rng = np.random.default_rng(2)
    q, k, v, grad = (rng.normal(size=(1, 2, 5, 3)) for _ in range(4))
    seen = np.ones((1, 1, 5, 5), bool)
    seen[:, :, 1] = False
    masks = {"bools": seen, "numbers": np.where(seen, 0.0, -np.inf)}
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("error")
        small_blocks(patch)
        for mask in masks.values():
            found = results(name, q, k, v, mask, None, AttentionForm(0.5), grad)
            assert not found["out"][:, :, 1].any() and not found["dq"][:, :, 1].any()
            assert all(np.isfinite(part).all() for part in found.values() if part is not None)
            # The others feel nothing of it.
            other = grad.copy()
            other[:, :, 1] = 1e9
            again = results(name, q, k, v, mask, None, AttentionForm(0.5), other)
            for part in ("dk", "dv"):
                np.testing.assert_array_equal(again[part], found[part])


@pytest.mark.parametrize("number", [1, 2, 3])
def test_threads_change_nothing(number):
    """Also no warning in one of them: NumPy's error state is a thread's own."""
    rng = np.random.default_rng(3)
    q, k, v, grad = (rng.normal(size=(2, 3, 40, 4)) for _ in range(4))
    mask = rng.normal(size=(2, 1, 40, 40))
    mask[:, :, 7] = -np.inf
    mask[:, :, :, :9] = -np.inf
    problem = (q * 1e3, k, v, mask, None, AttentionForm(0.5, True), grad)
    wanted = results("plain", *problem)
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch, shards.threads(number):
        warnings.simplefilter("error")
        small_blocks(patch, 8, 8)
        same(results("blockwise", *problem), wanted, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["loops", *FAST])
def test_what_goes_in_is_not_written_to(name):
    rng = np.random.default_rng(4)
    q, k, v, grad, mask = (rng.normal(size=shape) for shape in ((1, 2, 5, 3),) * 4 + ((1, 2, 5, 5),))
    drop = rng.random((1, 2, 5, 5)) < 0.5
    for array in (q, k, v, grad, mask, drop):
        array.flags.writeable = False
    results(name, q, k, v, mask, drop, AttentionForm(0.5, True, keep=2.0), grad)


@given(
    st.booleans(), st.integers(-5, 5), st.sampled_from([None, 1, 2, 4]),
    st.tuples(st.integers(0, 5), st.integers(1, 4)), st.tuples(st.integers(0, 5), st.integers(1, 4)),
)  # fmt: skip
def test_sight_is_in_sight_for_each(causal, offset, window, rows, keys):
    form = AttentionForm(1.0, causal, offset, window)
    rows, keys = ((start, start + size) for start, size in (rows, keys))
    wanted = np.array([[in_sight(form, i, j) for j in range(*keys)] for i in range(*rows)])
    found = sight(form, rows, keys)
    assert (found is None) == bool(wanted.all())
    if found is not None:
        np.testing.assert_array_equal(found, wanted)


def peak(name, length):
    """Bytes that forward and backward take at most, beside their inputs and gradients."""
    q, k, v, grad = (np.ones((1, 2, length, 8), np.float32) for _ in range(4))
    tracemalloc.start()
    try:
        results(name, q, k, v, None, None, AttentionForm(0.5, True), grad)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_of_blocks_grows_with_the_length_and_not_with_its_square():
    # The bar at 1k to 8k is in benchmarks/attention_memory.py.
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch, 64, 64)
        found = {}
        for _ in range(2):  # at first also threads and masks of positions, which are kept
            for name in ("blockwise", "plain"):
                found[name] = [peak(name, length) for length in (512, 1024)]
    assert found["blockwise"][1] <= 2.2 * found["blockwise"][0]
    assert found["plain"][1] > 3.5 * found["plain"][0]
    assert found["blockwise"][1] < found["plain"][1] / 10
