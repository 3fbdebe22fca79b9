"""MultiheadAttention: its parameters, masks, shared heads, windows, caches, what it depends on, wrong calls.

PyTorch's values are in test_transformer_goldens.py, gradients in the workspace's tests/test_transformer_gradients.py.
"""

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import load, save
from tt_nn.functional import linear
from tt_tensor import Tensor, manual_seed
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_text import (
    AppendCache,
    MultiheadAttention,
    generate_square_subsequent_mask,
    scaled_dot_product_attention,
    watch_attention,
)


def numbers(shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def made(*args, **kwargs):
    manual_seed(0)
    return MultiheadAttention(*args, batch_first=True, **kwargs).double()


def by_heads(layer, q, k, v, seen=None):
    """out and weights from the formula, one head of one sequence at a time; `seen` (T, S): bools."""
    h, g, d, e = layer.num_heads, layer.num_key_value_heads, layer.head_dim, layer.embed_dim
    w, b = layer.in_proj_weight.numpy(), layer.in_proj_bias.numpy()
    out, weights = [], []
    for n in range(len(q)):
        joined, each = [], []
        for head in range(h):
            group = head // (h // g)
            at_q = slice(head * d, (head + 1) * d)
            at_k = slice(e + group * d, e + (group + 1) * d)
            at_v = slice(e + (g + group) * d, e + (g + group + 1) * d)
            scores = (q[n] @ w[at_q].T + b[at_q]) @ (k[n] @ w[at_k].T + b[at_k]).T / math.sqrt(d)
            p = np.exp(scores) * (1 if seen is None else seen)
            p /= p.sum(axis=1, keepdims=True)
            each.append(p)
            joined.append(p @ (v[n] @ w[at_v].T + b[at_v]))
        weights.append(each)
        out.append(
            np.concatenate(joined, axis=1) @ layer.out_proj.weight.numpy().T + layer.out_proj.bias.numpy()
        )
    return np.array(out), np.array(weights)


@settings(max_examples=30)
@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(0, 5),
    st.integers(1, 5),
)
def test_the_formula_by_heads(groups, shared, d, n, t, s):
    layer = made(groups * shared * d, groups * shared, num_key_value_heads=groups)
    layer.in_proj_bias.write(numbers(layer.in_proj_bias.shape, 9))
    e = layer.embed_dim
    q, k, v = numbers((n, t, e)), numbers((n, s, e), 1), numbers((n, s, e), 2)
    out, weights = layer(Tensor(q), Tensor(k), Tensor(v), average_attn_weights=False)
    wanted = by_heads(layer, q, k, v)
    np.testing.assert_allclose(out, np.reshape(wanted[0], (n, t, e)), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(
        weights, np.reshape(wanted[1], (n, groups * shared, t, s)), rtol=1e-9, atol=1e-11
    )
    np.testing.assert_allclose(layer(q, k, v)[1], np.mean(weights.numpy(), axis=1), rtol=1e-9)


def test_parameters_are_pytorchs_and_begin_as_they_do():
    manual_seed(0)
    names = [
        name for name, _ in MultiheadAttention(6, 2, kdim=4, vdim=5, add_bias_kv=True).named_parameters()
    ]
    assert names == [
        "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "bias_k", "bias_v",
        "out_proj.weight", "out_proj.bias",
    ]  # fmt: skip
    layer = MultiheadAttention(64, 4, add_bias_kv=True)
    assert layer.in_proj_weight.shape == (192, 64) and layer.in_proj_weight.dtype == np.float32
    for weight, bound in (
        (layer.in_proj_weight, math.sqrt(6 / (192 + 64))),  # Xavier
        (layer.out_proj.weight, 1 / math.sqrt(64)),  # a Linear's
    ):
        assert 0.97 * bound < np.abs(weight.numpy()).max() <= bound
        assert abs(weight.numpy().mean()) < 5 * bound / math.sqrt(3 * weight.numpy().size)
    assert not layer.in_proj_bias.numpy().any() and not layer.out_proj.bias.numpy().any()
    assert 0.5 / 8 < layer.bias_k.numpy().std() < 1.5 / 8  # √(2 / (64 + 64))
    assert MultiheadAttention(8, 4, num_key_value_heads=1, bias=False).in_proj_weight.shape == (12, 8)
    assert [name for name, _ in MultiheadAttention(8, 4, bias=False).named_parameters()] == [
        "in_proj_weight", "out_proj.weight",
    ]  # fmt: skip
    assert MultiheadAttention(8, 4, dtype=np.float64).out_proj.bias.dtype == np.float64


def test_one_seed_one_layer():
    first, second, third = (
        (manual_seed(seed), MultiheadAttention(8, 2))[1].in_proj_weight.numpy() for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


def test_weights_travel_through_a_file(tmp_path):
    layer, other = made(6, 3, add_bias_kv=True), made(6, 3, add_bias_kv=True)
    for parameter in layer.parameters():
        parameter.write(numbers(parameter.shape, 4))
    save(layer.state_dict(), tmp_path / "layer.safetensors")
    other.load_state_dict(load(tmp_path / "layer.safetensors"))
    x = numbers((2, 3, 6))
    np.testing.assert_array_equal(layer(x, x, x)[0], other(x, x, x)[0])


def test_axes_in_all_three_orders_are_the_same():
    layer = made(6, 2)
    other = copy.deepcopy(layer)
    other.batch_first = False
    q, k, v = numbers((2, 3, 6)), numbers((2, 4, 6), 1), numbers((2, 4, 6), 2)
    padding = np.zeros((2, 4), bool)
    padding[0, 2:] = True
    out, weights = layer(q, k, v, padding)
    y, p = other(*(x.swapaxes(0, 1) for x in (q, k, v)), padding)
    np.testing.assert_allclose(y.numpy().swapaxes(0, 1), out, rtol=1e-12)
    np.testing.assert_allclose(p, weights, rtol=1e-12)
    for batch_first in (False, True):
        other.batch_first = batch_first
        y, p = other(q[0], k[0], v[0], padding[0])
        np.testing.assert_allclose(y, out.numpy()[0], rtol=1e-12)
        np.testing.assert_allclose(p, weights.numpy()[0], rtol=1e-12)
        assert other(q[0], k[0], v[0], average_attn_weights=False)[1].shape == (2, 3, 4)


def test_the_same_object_or_equal_ones():
    layer = made(6, 2)
    x = Tensor(numbers((2, 4, 6)))
    one, same = layer(x, x, x)[0], layer(x, x.clone(), x.clone())[0]
    np.testing.assert_allclose(one, same, rtol=1e-12)
    np.testing.assert_allclose(layer(x, x, x, need_weights=False)[0], one, rtol=1e-12)
    y = Tensor(numbers((2, 4, 6), 1))
    np.testing.assert_allclose(layer(x, y, y)[0], layer(x, y, y.clone())[0], rtol=1e-12)
    np.testing.assert_allclose(layer(x, y, x)[0], layer(x.clone(), y, x)[0], rtol=1e-12)
    array = numbers((2, 4, 6))
    np.testing.assert_array_equal(layer(array, array, array)[0], one)


@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
def test_causality_and_windows_by_the_formula(window, causal, need_weights):
    layer = made(6, 3, window=window)
    x = numbers((2, 5, 6))
    by = np.arange(5)[None, :] - np.arange(5)[:, None]
    seen = (by <= 0) if causal else np.ones((5, 5), bool)
    seen &= (by > -(window or 9)) & (by < (window or 9))
    wanted, weights = by_heads(layer, x, x, x, seen)
    out, found = layer(x, x, x, need_weights=need_weights, is_causal=causal)
    np.testing.assert_allclose(out, wanted, rtol=1e-9)
    assert (found is not None) == need_weights
    if need_weights:
        np.testing.assert_allclose(found, weights.mean(axis=1), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("need_weights", [False, True])
def test_all_ways_to_say_causal(need_weights):
    layer = made(6, 3)
    x = numbers((2, 5, 6))
    wanted = layer(x, x, x, is_causal=True)[0]
    added = generate_square_subsequent_mask(5)
    for mask in (added, added.numpy(), added.numpy() < 0, np.tile(added.numpy(), (6, 1, 1))):
        for hint in (False, True):
            y = layer(x, x, x, attn_mask=mask, is_causal=hint, need_weights=need_weights)[0]
            np.testing.assert_allclose(y, wanted, rtol=1e-10)


def test_a_hint_about_another_mask_loses_neither():
    """PyTorch leaves open which one holds."""
    layer = made(6, 3)
    x = numbers((1, 5, 6))
    hidden = np.zeros((5, 5), bool)
    hidden[3, 1] = True
    seen = np.tril(np.ones((5, 5), bool)) & ~hidden
    np.testing.assert_allclose(
        layer(x, x, x, attn_mask=hidden, is_causal=True)[0], by_heads(layer, x, x, x, seen)[0], rtol=1e-9
    )


def test_a_later_token_changes_no_earlier_output():
    layer = made(6, 2)
    x = numbers((2, 6, 6))
    for extra in ({"need_weights": False}, {"attn_mask": generate_square_subsequent_mask(6)}):
        y = layer(*[Tensor(x)] * 3, is_causal=True, **extra)[0].numpy()
        changed = x.copy()
        changed[:, 3:] += 10
        again = layer(*[Tensor(changed)] * 3, is_causal=True, **extra)[0].numpy()
        np.testing.assert_allclose(again[:, :3], y[:, :3], rtol=1e-12)
        assert not np.isclose(again[:, 3:], y[:, 3:]).all(axis=-1).any()


def test_padding_is_as_if_it_were_not_there():
    layer = made(6, 2)
    q, k = numbers((2, 3, 6)), numbers((2, 5, 6), 1)
    padding = np.zeros((2, 5), bool)
    padding[0, 3:] = padding[1, 1:] = True
    for mask in (padding, np.where(padding, -np.inf, 0)):
        out, weights = layer(q, k, k, mask)
        for row, length in ((0, 3), (1, 1)):
            alone = layer(q[row], k[row, :length], k[row, :length])[0]
            np.testing.assert_allclose(out.numpy()[row], alone, rtol=1e-10)
            assert not weights.numpy()[row, :, length:].any()


def test_masks_of_two_kinds_both_hold():
    layer = made(6, 2)
    q, k = numbers((2, 3, 6)), numbers((2, 5, 6), 1)
    padding, hidden = numbers((2, 5), 2) > 1, numbers((3, 5), 3) > 1
    wanted = layer(q, k, k, padding, attn_mask=hidden)
    added = [np.where(mask, -np.inf, 0) for mask in (padding, hidden)]
    for first, second in ((padding, added[1]), (added[0], hidden), added):
        for found, value in zip(layer(q, k, k, first, attn_mask=second), wanted, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-10)
    each = np.broadcast_to(hidden, (4, 3, 5))
    np.testing.assert_allclose(layer(q, k, k, padding, attn_mask=each)[0], wanted[0], rtol=1e-12)


def test_a_mask_for_each_head_is_for_that_head():
    layer = made(6, 2)
    x = numbers((2, 3, 6))
    hidden = np.zeros((4, 3, 3), bool)
    hidden[1, 0, 2] = True  # sequence 0, head 1
    weights = layer(x, x, x, attn_mask=hidden, average_attn_weights=False)[1].numpy()
    assert np.argwhere(weights == 0).tolist() == [[0, 1, 0, 2]]


def test_a_query_that_sees_nothing_gets_the_bias_of_the_output():
    layer = made(6, 2)
    layer.out_proj.bias.write(numbers((6,), 5))
    x = numbers((2, 3, 6))
    padding = np.zeros((2, 3), bool)
    padding[1] = True
    for need_weights in (False, True):
        out, weights = layer(x, x, x, padding, need_weights)
        np.testing.assert_array_equal(out.numpy()[1], np.tile(layer.out_proj.bias.numpy(), (3, 1)))
        assert weights is None or not weights.numpy()[1].any()


@pytest.mark.parametrize("window", [None, 2])
def test_additional_keys_are_seen_by_all(window):
    layer = made(6, 2, add_bias_kv=True, add_zero_attn=True, window=window)
    x = numbers((2, 4, 6))
    hidden = np.ones((4, 4), bool)
    for call in ({}, {"is_causal": True}, {"attn_mask": hidden}, {"key_padding_mask": np.ones((2, 4))}):
        out, weights = layer(x, x, x, **call)
        assert weights.shape == (2, 4, 6) and weights.numpy()[:, :, 4:].all()
        np.testing.assert_allclose(weights.numpy().sum(axis=2), 1, rtol=1e-12)
        np.testing.assert_allclose(layer(x, x, x, need_weights=False, **call)[0], out, rtol=1e-12)
    causal = layer(x, x, x, is_causal=True)[1].numpy()
    assert not np.triu(causal[:, :, :4], 1).any()


def test_dropout_is_for_training_and_its_weights_are_returned():
    layer = made(8, 2, dropout=0.5)
    x = Tensor(numbers((2, 6, 8)))
    out, weights = layer(x, x, x, average_attn_weights=False)
    dropped = weights.numpy() == 0
    assert 0.3 < dropped.mean() < 0.7
    heads = linear(x, layer.in_proj_weight, layer.in_proj_bias).numpy().reshape(2, 6, 3, 2, 4)
    values = heads[:, :, 2].swapaxes(1, 2)
    joined = (weights.numpy() @ values).swapaxes(1, 2).reshape(2, 6, 8)
    np.testing.assert_allclose(out, linear(joined, layer.out_proj.weight, layer.out_proj.bias), rtol=1e-9)
    layer.eval()
    y, p = layer(x, x, x, average_attn_weights=False)
    np.testing.assert_allclose(weights.numpy()[~dropped], 2 * p.numpy()[~dropped], rtol=1e-9)
    np.testing.assert_array_equal(layer(x, x, x)[0], y)
    assert not made(8, 2, dropout=1.0)(x, x, x)[0].numpy().any()


@pytest.mark.parametrize(
    "kwargs", [{}, {"num_key_value_heads": 1}, {"window": 3}, {"add_bias_kv": True}], ids=str
)
def test_token_by_token_with_a_cache_is_all_at_once(kwargs):
    layers = [made(6, 2, **kwargs), made(6, 2, **kwargs)]
    x = numbers((2, 6, 6))
    padding = np.zeros((2, 6), bool)
    padding[1, :2] = True
    wanted = Tensor(x)
    for layer in layers:
        wanted = layer(wanted, wanted, wanted, padding, need_weights=False, is_causal=True)[0]
    cache, found = AppendCache(), []
    for start, stop in ((0, 2), (2, 3), (3, 3), (3, 6)):
        y = Tensor(x[:, start:stop])
        for number, layer in enumerate(layers):
            y = layer(
                y, y, y, padding[:, :stop], need_weights=False, is_causal=True, cache=cache, layer=number
            )[0]
        cache.advance(stop - start)
        found.append(y.numpy())
    assert cache.length == 6
    np.testing.assert_allclose(np.concatenate(found, axis=1), wanted, rtol=1e-9, atol=1e-12)


def test_a_cache_and_masks_of_all_keys():
    layer = made(6, 2)
    x = numbers((1, 4, 6))
    whole, weights = layer(x, x, x, is_causal=True)
    cache, first, rest = AppendCache(), Tensor(x[:, :2]), Tensor(x[:, 2:])
    layer(first, first, first, is_causal=True, cache=cache)
    cache.advance(2)
    mask = generate_square_subsequent_mask(4).numpy()[2:]
    out, p = layer(rest, rest, rest, attn_mask=mask, cache=cache)
    np.testing.assert_allclose(out, whole.numpy()[:, 2:], rtol=1e-10)
    np.testing.assert_allclose(p, weights.numpy()[:, 2:], rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("shape", [(0, 3, 6), (2, 0, 6), (0, 0, 6)])
def test_nothing_in_nothing_out(shape):
    layer = made(6, 2)
    x = np.ones(shape)
    for call in ({}, {"need_weights": False}, {"need_weights": False, "is_causal": True}):
        out, weights = layer(x, x, x, **call)
        assert out.shape == shape
        assert weights is None or weights.shape == (shape[0], shape[1], shape[1])


def test_no_keys_at_all():
    out, weights = made(6, 2)(np.ones((2, 3, 6)), np.ones((2, 0, 6)), np.ones((2, 0, 6)))
    assert not out.numpy().any() and weights.shape == (2, 3, 0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes(dtype):
    layer = made(6, 2).to(dtype)
    x = Tensor(numbers((2, 3, 6), 0, dtype))
    mask = numbers((3, 3))
    for call in ({}, {"need_weights": False}, {"attn_mask": mask}, {"key_padding_mask": mask[:2] > 0}):
        for part in layer(x, x, x, **call):
            assert part is None or part.dtype == dtype


def test_watching_a_layer():
    layer = made(6, 2)
    x = numbers((2, 3, 6))
    with watch_attention() as seen:
        layer(x, x, x, need_weights=False)
    np.testing.assert_allclose(seen[0], layer(x, x, x, average_attn_weights=False)[1], rtol=1e-9)


def test_how_it_looks():
    assert "MultiheadAttention(\n  6, num_heads=2, dropout=0.1" in repr(MultiheadAttention(6, 2, 0.1))
    assert "num_key_value_heads=1" in repr(MultiheadAttention(6, 2, num_key_value_heads=1))


def test_it_is_the_function():
    """One head, and projections that change nothing."""
    layer = made(4, 1, bias=False)
    layer.in_proj_weight.write(np.tile(np.eye(4), (3, 1)))
    layer.out_proj.weight.write(np.eye(4))
    q, k, v = (numbers((2, 3, 4), seed) for seed in range(3))
    np.testing.assert_allclose(layer(q, k, v)[0], scaled_dot_product_attention(q, k, v), rtol=1e-12)


# --- wrong calls ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "args", "kwargs"),
    [
        ("embed_dim 5 is no multiple of num_heads 2", (5, 2), {}),
        ("embed_dim must be a whole number from 1 up, not 0", (0, 2), {}),
        ("num_heads must be a whole number from 1 up, not 2.0", (4, 2.0), {}),
        ("num_heads must be a whole number from 1 up, not True", (4, True), {}),
        ("4 heads cannot share 3", (8, 4), {"num_key_value_heads": 3}),
        ("num_key_value_heads", (8, 4), {"num_key_value_heads": 0}),
        ("kdim", (8, 4), {"kdim": 0}),
        ("vdim", (8, 4), {"vdim": "8"}),
        ("window", (8, 4), {"window": 0}),
        ("dropout is a probability from 0 to 1, not -0.1", (8, 4), {"dropout": -0.1}),
        ("dropout", (8, 4), {"dropout": "0.1"}),
    ],
)  # fmt: skip
def test_wrong_settings(text, args, kwargs):
    with pytest.raises((ArgumentError, DTypeError), match=text):
        MultiheadAttention(*args, **kwargs)


X = np.ones((2, 3, 6))


@pytest.mark.parametrize(
    ("error", "text", "given", "call"),
    [
        (ShapeError, r"3 axes.*query \(6,\)", (X[0, 0], X[0, 0], X[0, 0]), {}),
        (ShapeError, "3 axes", (X, X[0], X[0]), {}),
        (ShapeError, "features", (X, X[..., :5], X), {}),
        (ShapeError, "key and value differ", (X, X, X[:, :2]), {}),
        (ShapeError, "differ in batch size", (X, X[:1], X[:1]), {}),
        (ShapeError, r"attn_mask has shape \(3, 3\) or \(4, 3, 3\) here", (X, X, X), {"attn_mask": np.ones((3, 2))}),
        (ShapeError, "attn_mask", (X, X, X), {"attn_mask": np.ones((2, 3, 3))}),
        (ShapeError, r"key_padding_mask has shape \(2, 3\)", (X, X, X), {"key_padding_mask": np.ones((3, 2))}),
        (ShapeError, "key_padding_mask", (X[0], X[0], X[0]), {"key_padding_mask": np.ones((1, 3))}),
        (DTypeError, "mask == 0", (X, X, X), {"key_padding_mask": np.ones((2, 3), np.int64)}),
        (DTypeError, "attn_mask is of bools", (X, X, X), {"attn_mask": np.ones((3, 3), np.uint8)}),
        (ArgumentError, "one and the same", (X, X.copy(), X), {"cache": AppendCache()}),
    ],
)  # fmt: skip
def test_wrong_calls(error, text, given, call):
    layer = made(6, 2)
    with pytest.raises(error, match=text):
        layer(*given, **call)


def test_integers_are_refused():
    x = X.astype(np.int64)
    with pytest.raises(DTypeError, match="astype"):
        made(6, 2).float()(x, x, x)


@pytest.mark.parametrize("size", [-1, 2.0, True, "3"])
def test_a_mask_of_no_size(size):
    with pytest.raises(ArgumentError, match="sz"):
        generate_square_subsequent_mask(size)


def test_the_causal_mask():
    for size in (0, 1, 4):
        mask = generate_square_subsequent_mask(size)
        assert mask.dtype == np.float32 and mask.shape == (size, size)
        wanted = [[0 if j <= i else -np.inf for j in range(size)] for i in range(size)]
        np.testing.assert_array_equal(mask, np.reshape(wanted, (size, size)))
    assert generate_square_subsequent_mask(2, np.float64).dtype == np.float64
    with pytest.raises(DTypeError, match="floating"):
        generate_square_subsequent_mask(2, np.int64)
