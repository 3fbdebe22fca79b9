"""scaled_dot_product_attention: PyTorch's goldens, what attention must and must not depend on, dtypes, wrong calls.

The kernels are held against the loops in kernels/test_attention_kernels.py, the rules against differences in
test_rules.py.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_text.kernels.attention_blockwise as blockwise
from tt_tensor import Generator, Tensor, from_numpy, kernels, manual_seed
from tt_tensor.errors import ArgumentError, DTypeError, InPlaceError, ShapeError, TTError
from tt_text import scaled_dot_product_attention as attention
from tt_text import watch_attention
from tt_text.attention import AttentionFunction, PackedAttentionFunction
from tt_text.kernels.attention import AttentionForm

HERE = Path(__file__).parent / "goldens"
SPECS = json.loads((HERE / "attention.json").read_text())
NUMBERS = np.load(HERE / "attention.npz")["numbers"]
ENDS = np.cumsum([spec["size"] for spec in SPECS])
KERNELS = ["loops", "plain", "blockwise"]


def numbers(shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def draw(shape, seed):
    return numbers(tuple(shape), seed).astype(np.float32).astype(np.float64)


def mask_of(kind, shape):
    if kind == "bool":
        seen = draw(shape, 5) > 0
        seen[..., 0] = True
        return seen
    added = draw(shape, 5)
    if kind == "-inf":
        added[..., 1:][added[..., 1:] > 0] = -np.inf
    return added


@pytest.fixture(params=KERNELS)
def kernel(request, monkeypatch):
    """Each kernel of attention; the blocks are a few rows and keys large."""
    monkeypatch.setattr(blockwise, "QUERIES", 2)
    monkeypatch.setattr(blockwise, "KEYS", 2)
    with kernels.use(request.param, "attention"):
        yield request.param


# --- PyTorch ----------------------------------------------------------------------------------------------


def test_pytorch(kernel):
    for index, spec in enumerate(SPECS):
        wanted = NUMBERS[ENDS[index] - spec["size"] : ENDS[index]]
        q, k, v = (draw(spec[name], seed) for seed, name in enumerate("qkv"))
        mask = None if spec["mask"] is None else mask_of(spec["kind"], spec["mask"])
        y = attention(q, k, v, mask, is_causal=spec["causal"], scale=spec["scale"], enable_gqa=spec["gqa"])
        scale = spec["scale"] or 1 / np.sqrt(q.shape[-1])
        function = AttentionFunction(AttentionForm(scale, spec["causal"]))
        given = (q, k, v) if mask is None else (q, k, v, mask)
        np.testing.assert_array_equal(function(*map(Tensor, given)), y)
        parts = [y.numpy(), *[g for g in function.gradients(draw(y.shape, 9)) if g is not None]]
        found = np.concatenate([part.ravel() for part in parts])
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6, err_msg=str(spec))


# --- the definition ---------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 3), max_size=3), st.integers(0, 5), st.integers(0, 5), st.integers(1, 4),
    st.integers(0, 3), st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_the_formula(lead, t, s, d, e, causal, seed):
    q, k, v = (numbers((*lead, *shape), seed) for shape in ((t, d), (s, d), (s, e)))
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(d)
    if causal:
        scores = np.where(np.tril(np.ones((t, s), bool)), scores, -np.inf)
    e_ = np.exp(scores)
    total = e_.sum(axis=-1, keepdims=True)
    wanted = np.divide(e_, total, out=np.zeros_like(e_), where=total > 0) @ v
    np.testing.assert_allclose(attention(q, k, v, is_causal=causal), wanted, rtol=1e-9, atol=1e-12)


def test_a_later_token_changes_no_earlier_output(kernel):
    q, k, v = (numbers((2, 2, 7, 3), seed) for seed in range(3))
    y = attention(q, k, v, is_causal=True).numpy()
    for place in range(1, 7):
        changed = [x.copy() for x in (q, k, v)]
        for x in changed:
            x[:, :, place:] = numbers(x[:, :, place:].shape, 9) * 50
        again = attention(*changed, is_causal=True).numpy()
        np.testing.assert_allclose(again[:, :, :place], y[:, :, :place], rtol=1e-12, atol=1e-14)
        assert not np.isclose(again[:, :, place:], y[:, :, place:]).all(axis=-1).any()


def test_an_earlier_token_changes_later_outputs(kernel):
    q, k, v = (numbers((1, 1, 5, 3), seed) for seed in range(3))
    y = attention(q, k, v, is_causal=True).numpy()
    for x in (k, v):
        before = x[0, 0, 1].copy()
        x[0, 0, 1] += 1
        assert (
            not np.isclose(attention(q, k, v, is_causal=True).numpy()[0, 0, 1:], y[0, 0, 1:])
            .all(axis=-1)
            .any()
        )
        x[0, 0, 1] = before


@pytest.mark.parametrize("part", range(3))
def test_queries_keys_and_values_all_matter(kernel, part):
    """With an inverted mask, or scores that are lost, the weights are uniform and only values matter."""
    given = [numbers((1, 2, 4, 3), seed) for seed in range(3)]
    y = attention(*given).numpy()
    given[part] = given[part][:, :, ::-1] if part == 0 else given[part] * 1.5
    assert np.abs(attention(*given).numpy() - y).max() > 0.01


def test_weights_sum_to_1_and_the_order_of_keys_is_free(kernel):
    q, k, v = (numbers((2, 3, 5, 4), seed) for seed in range(3))
    np.testing.assert_allclose(attention(q, k, np.ones_like(v)), 1.0, rtol=1e-12)
    order = np.random.default_rng(0).permutation(5)
    np.testing.assert_allclose(attention(q, k[:, :, order], v[:, :, order]), attention(q, k, v), rtol=1e-10)


def test_a_number_added_to_all_scores_of_a_row_changes_nothing(kernel):
    q, k, v = (numbers((1, 2, 5, 4), seed) for seed in range(3))
    for shift in (-700.0, -30.0, 30.0, 700.0):
        shifted = attention(q, k, v, np.full((5, 1), shift))
        np.testing.assert_allclose(shifted, attention(q, k, v), rtol=1e-9, atol=1e-12)


def test_one_key_takes_all(kernel):
    """Scores at ±1e4: the largest wins, and nothing overflows."""
    q, k = np.ones((1, 1, 1, 1)), np.array([-1.0, 1.0, 0.5, -0.5]).reshape(1, 1, 4, 1)
    v = numbers((1, 1, 4, 3))
    for dtype in (np.float32, np.float64):
        given = [x.astype(dtype) for x in (q, k, v)]
        np.testing.assert_array_equal(attention(*given, scale=1e4).numpy()[0, 0, 0], given[2][0, 0, 1])
        np.testing.assert_array_equal(attention(*given, scale=-1e4).numpy()[0, 0, 0], given[2][0, 0, 0])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("window", [1, 2, 3, 9])
def test_a_window_is_a_mask(kernel, causal, window):
    q, k, v = (numbers((2, 2, 6, 3), seed) for seed in range(3))
    by = np.arange(6)[None, :] - np.arange(6)[:, None]
    seen = (by <= 0) & (by > -window) if causal else np.abs(by) < window
    wanted = attention(q, k, v, seen)
    np.testing.assert_allclose(
        attention(q, k, v, is_causal=causal, window=window), wanted, rtol=1e-10, atol=1e-13
    )


def test_heads_that_share_keys_are_heads_with_equal_keys(kernel):
    q, k, v = numbers((2, 6, 4, 3)), numbers((2, 2, 5, 3), 1), numbers((2, 2, 5, 3), 2)
    repeated = [np.repeat(x, 3, axis=1) for x in (k, v)]
    np.testing.assert_allclose(attention(q, k, v, enable_gqa=True), attention(q, *repeated), rtol=1e-10)


def test_bools_and_minus_infinity_say_the_same(kernel):
    q, k, v = (numbers((2, 2, 5, 3), seed) for seed in range(3))
    seen = numbers((2, 1, 5, 5), 4) > 0
    added = np.where(seen, 0, -np.inf)
    np.testing.assert_allclose(attention(q, k, v, seen), attention(q, k, v, added), rtol=1e-12)


def test_a_query_that_sees_nothing_gets_zeros_and_sends_none(kernel):
    given = [numbers((1, 2, 4, 3), seed) for seed in range(3)]
    seen = np.ones((4, 4), bool)
    seen[2] = False
    for mask in (seen, np.where(seen, 0, -np.inf)):
        assert not attention(*given, mask).numpy()[:, :, 2].any()
        function = AttentionFunction(AttentionForm(0.5))
        y = function(*map(Tensor, (*given, mask)))
        grads = function.gradients(np.full(y.shape, 1e3))
        assert not grads[0][:, :, 2].any()
        assert all(np.isfinite(g).all() for g in grads if g is not None)


def test_packed_is_the_same_as_in_parts(kernel):
    n, t, h, g, d = 2, 5, 4, 2, 3
    x = numbers((n, t, (h + 2 * g) * d))
    parts = x.reshape(n, t, h + 2 * g, d).swapaxes(1, 2)
    q, k, v = parts[:, :h], parts[:, h : h + g], parts[:, h + g :]
    for form in (AttentionForm(0.4, True), AttentionForm(0.4, window=2)):
        packed, function = PackedAttentionFunction(form, h, g), AttentionFunction(form)
        wanted = function(*map(from_numpy, (q, k, v))).numpy().swapaxes(1, 2)
        y = packed(from_numpy(x)).numpy()
        np.testing.assert_allclose(y, wanted.reshape(n, t, h * d), rtol=1e-12)
        grad = numbers(y.shape, 9)
        grads = function.gradients(grad.reshape(n, t, h, d).swapaxes(1, 2))
        joined = np.concatenate(grads, axis=1).swapaxes(1, 2).reshape(x.shape)
        np.testing.assert_allclose(packed.gradients(grad)[0], joined, rtol=1e-10, atol=1e-13)


def test_the_offset_of_a_cache(kernel):
    """The last tokens alone, behind keys that are there already, get what they get among all."""
    q, k, v = (numbers((2, 2, 7, 3), seed) for seed in range(3))
    whole = attention(q, k, v, is_causal=True).numpy()
    for new in (1, 3):
        form = AttentionForm(1 / np.sqrt(3), True, 7 - new)
        y = AttentionFunction(form)(*map(from_numpy, (q[:, :, 7 - new :], k, v))).numpy()
        np.testing.assert_allclose(y, whole[:, :, 7 - new :], rtol=1e-10)


# --- dropout ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heads", [(0, 0), (0, 2), (2, 2)])
@pytest.mark.parametrize("lengths", [(3, 4), (0, 4), (3, 0)])
def test_none_of_heads_queries_or_keys(kernel, heads, lengths):
    (h, g), (t, s) = heads, lengths
    q, k, v = numbers((2, h, t, 5)), numbers((2, g, s, 5)), numbers((2, g, s, 6))
    function = AttentionFunction(AttentionForm(1.0))
    y = function(q, k, v)
    np.testing.assert_array_equal(y.array if 0 in (h, t, s) else 0, 0)
    assert y.shape == (2, h, t, 6)
    grads = function.backward(np.ones(y.shape))
    for grad, x in zip(grads, (q, k, v), strict=False):
        assert grad.shape == x.shape and (0 not in (h, t, s) or not grad.any())


def test_dropout_keeps_the_mean_and_follows_its_generator(kernel):
    q, k = np.zeros((1, 4, 30, 1)), np.zeros((1, 4, 40, 1))
    v = np.ones((1, 4, 40, 1))
    y = attention(q, k, v, dropout_p=0.25, generator=Generator(0)).numpy()
    # Each output is a mean of 40 weights of 0 or 4/3; its variance p / (1 - p) / 40.
    assert abs(y.mean() - 1) < 5 * np.sqrt(0.25 / 0.75 / 40 / y.size)
    assert 0.8 < y.var() / (0.25 / 0.75 / 40) < 1.25
    np.testing.assert_array_equal(attention(q, k, v, dropout_p=0.25, generator=Generator(0)), y)
    manual_seed(1)
    first = attention(q, k, v, dropout_p=0.25).numpy()
    assert (attention(q, k, v, dropout_p=0.25).numpy() != first).any()
    manual_seed(1)
    np.testing.assert_array_equal(attention(q, k, v, dropout_p=0.25), first)


def test_dropout_of_0_and_1(kernel):
    q, k, v = (numbers((1, 2, 4, 3), seed) for seed in range(3))
    np.testing.assert_array_equal(attention(q, k, v, dropout_p=0), attention(q, k, v))
    assert not attention(q, k, v, dropout_p=1).numpy().any()


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3), (2, 2, 4, 3), (2, 1, 2, 4, 3)])
def test_dropout_on_any_number_of_axes(shape):
    q, k, v = (numbers(shape, seed) for seed in range(3))
    assert attention(q, k, v, numbers((4, 4)) > -1, dropout_p=0.5).shape == shape


# --- layouts, dtypes --------------------------------------------------------------------------------------


def layouts(x):
    yield np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2)
    yield np.asfortranarray(x)
    yield x[:, :, ::-1].copy()[:, :, ::-1]
    yield np.repeat(x, 2, axis=-1)[..., ::2]


def test_the_order_of_memory_does_not_matter(kernel):
    given = [numbers((2, 4, 5, 3), seed) for seed in range(3)]
    grad = numbers((2, 4, 5, 3), 9)

    def run(given, grad):
        function = AttentionFunction(AttentionForm(0.5, True))
        return [function(*map(from_numpy, given)).numpy(), *function.gradients(grad)]

    wanted = run(given, grad)
    for changed in zip(*map(layouts, [*given, grad]), strict=True):
        for found, value in zip(run(changed[:3], changed[3]), wanted, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_stays_and_gradients_have_it(kernel, dtype):
    given = [numbers((1, 2, 5, 4), seed) for seed in range(3)]
    wanted = attention(*given, is_causal=True).numpy()
    tolerance = {"e": 3e-3, "f": 1e-6, "d": 1e-12}[np.dtype(dtype).char]
    cast = [Tensor(x.astype(dtype)) for x in given]
    for last in (False, True):
        function = AttentionFunction(AttentionForm(0.5, True), last)
        y = function(*[Tensor(np.swapaxes(x.numpy(), 1, 2)) for x in cast] if last else cast)
        assert y.dtype == dtype
        np.testing.assert_allclose(y.numpy().swapaxes(1, 2) if last else y, wanted, atol=tolerance)
        assert all(g.dtype == dtype for g in function.gradients(np.ones(y.shape, dtype)))
    packed = PackedAttentionFunction(AttentionForm(0.5, True), 2, 2)
    qkv = np.concatenate([x.numpy().swapaxes(1, 2).reshape(1, 5, 8) for x in cast], axis=2)
    y = packed(Tensor(qkv))
    assert y.dtype == packed.gradients(np.ones(y.shape, dtype))[0].dtype == dtype
    np.testing.assert_allclose(y, wanted.swapaxes(1, 2).reshape(1, 5, 8), atol=tolerance)


def test_a_mask_of_another_precision_leaves_the_dtype(kernel):
    given = [numbers((1, 2, 5, 4), seed, np.float32) for seed in range(3)]
    mask = numbers((5, 5))
    y = attention(*given, mask)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, attention(*given, mask.astype(np.float32)), rtol=1e-6)


def test_a_saved_value_changed_in_place_is_noticed():
    for shape in ((3, 4), (2, 3, 4), (2, 2, 3, 4), (2, 1, 2, 3, 4)):
        for part in range(3):
            given = [Tensor(numbers(shape, seed)) for seed in range(3)]
            function = AttentionFunction(AttentionForm(0.5))
            y = function(*given)
            given[part].write(0.0)
            with pytest.raises(InPlaceError, match="changed in place"):
                function.gradients(np.ones(y.shape))
    x = Tensor(numbers((2, 3, 12)))
    function = PackedAttentionFunction(AttentionForm(0.5), 2, 2)
    y = function(x)
    x.write(0.0)
    with pytest.raises(InPlaceError, match="changed in place"):
        function.gradients(np.ones(y.shape))


# --- watching ---------------------------------------------------------------------------------------------


def test_watching_gives_the_weights_of_each_call(kernel):
    q, k, v = (numbers((2, 2, 4, 3), seed) for seed in range(3))
    with watch_attention() as seen:
        attention(q, k, v, is_causal=True)
        attention(q, k[:, :1], v[:, :1], window=2)
        attention(q[0, 0], k[0, 0], v[0, 0])
    attention(q, k, v)
    assert [weights.shape for weights in seen] == [(2, 2, 4, 4), (2, 2, 4, 4), (1, 1, 4, 4)]
    np.testing.assert_allclose(seen[0] @ v, attention(q, k, v, is_causal=True), rtol=1e-10)
    assert not np.triu(seen[0], 1).any()


# --- wrong calls ------------------------------------------------------------------------------------------

Q = np.ones((2, 4, 3, 2), np.float32)


@pytest.mark.parametrize(
    ("error", "text", "call"),
    [
        (ShapeError, "query and key differ in their last axis", lambda: attention(Q, Q[..., :1], Q)),
        (ShapeError, "key and value differ", lambda: attention(Q, Q, Q[:, :, :2])),
        (ShapeError, "leading axes", lambda: attention(Q, Q[:1].repeat(3, 0), Q)),
        (ShapeError, "at least 2 axes", lambda: attention(Q[0, 0, 0], Q[0, 0], Q[0, 0])),
        (ShapeError, "4 heads of the query cannot share 3", lambda: attention(Q, Q[:, :3], Q[:, :3], enable_gqa=True)),
        (ShapeError, r"mask of shape \(2, 3\)", lambda: attention(Q, Q, Q, np.ones((2, 3), bool))),
        (ShapeError, "mask of shape", lambda: attention(Q, Q, Q, np.ones((1, 1, 1, 3, 3), bool))),
        (DTypeError, "floating", lambda: attention(*[Q.astype(np.int64)] * 3)),
        (DTypeError, "bools or floating numbers", lambda: attention(Q, Q, Q, np.ones((3, 3), np.int64))),
        (ArgumentError, "exclude each other", lambda: attention(Q, Q, Q, np.ones((3, 3), bool), is_causal=True)),
        (ArgumentError, "enable_gqa=True", lambda: attention(Q, Q[:, :2], Q[:, :2])),
        (ArgumentError, "probability from 0 to 1, not 1.5", lambda: attention(Q, Q, Q, dropout_p=1.5)),
        (ArgumentError, "dropout_p must be a number, not '0.5'", lambda: attention(Q, Q, Q, dropout_p="0.5")),
        (ArgumentError, "probability", lambda: attention(Q, Q, Q, dropout_p=float("nan"))),
        (ArgumentError, "window", lambda: attention(Q, Q, Q, window=0)),
        (ArgumentError, "window", lambda: attention(Q, Q, Q, window=True)),
        (ArgumentError, "scale", lambda: attention(Q, Q, Q, scale="1")),
        (ArgumentError, "scale is a finite number, not nan", lambda: attention(Q, Q, Q, scale=float("nan"))),
        (ShapeError, "attention", lambda: attention(Q, Q[0, 0], Q[0, 0])),
        (ShapeError, "attention", lambda: attention(Q, Q, Q[..., 0, 0])),
        (ShapeError, "attention", lambda: attention(Q, Q[:1].repeat(3, 0), Q, dropout_p=0.5)),
    ],
)  # fmt: skip
def test_wrong_calls_say_what_is_wrong(error, text, call):
    with pytest.raises(error, match=text) as caught:
        call()
    assert isinstance(caught.value, TTError)


@pytest.mark.parametrize("shape", [(12,), (2, 3, 11), (1, 2, 3, 12)])
def test_packed_needs_whole_heads(shape):
    with pytest.raises(ShapeError, match="head_dim"):
        PackedAttentionFunction(AttentionForm(1.0), 2, 2)(Tensor(np.ones(shape)))
