"""Kernels of one new token against the loops, and against whole models that compute without a cache."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="compiled kernels need numba")
pytest.importorskip("tt_text", reason="language models come with tt-text: pip install 'tt-perf[compete]'")

import tt_perf
from tt_nn import shards
from tt_perf.compiled import decode
from tt_tensor import kernels
from tt_text import GPT, GPTConfig, Llama, LlamaConfig
from tt_text.kernels.decode import ACTIVATIONS

LINEAR, ATTENTION, BLOCK = (
    kernels.kernel(name, "loops") for name in ("norm_linear", "decode_attention", "decode_block")
)


@pytest.fixture(autouse=True)
def two_threads():
    with shards.threads(2):
        yield


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(
    lead=st.sampled_from([(1, 1), (1,), (2, 1), (3, 2), (0, 1), (9, 1)]),
    inside=st.integers(1, 40),
    outside=st.integers(0, 30),
    affine=st.booleans(),
    shift=st.floats(-300, 300),
)
def test_norm_and_product(lead, inside, outside, affine, shift):
    x = drawn(0, *lead, inside) + np.float32(shift)
    scale, move = (drawn(1, inside), drawn(2, inside)) if affine else (None, None)
    weight, bias = drawn(3, outside, inside), drawn(4, outside) if affine else None
    y = decode.norm_linear(x, scale, move, 1e-5, weight, bias)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, LINEAR(x, scale, move, 1e-5, weight, bias), rtol=1e-4, atol=3e-4)


def attention_of(n, h, groups, s, d, width, masked):
    q, keys, values = drawn(0, n, h, d), drawn(1, n, groups, s, d), drawn(2, n, groups, s, width)
    mask = np.random.default_rng(3).random((n, s)) < 0.6 if masked else None
    return q, keys, values, mask


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(0, 3),
    groups=st.integers(1, 3),
    each=st.integers(1, 3),
    s=st.integers(1, 21),
    d=st.integers(1, 20),
    width=st.integers(1, 20),
    masked=st.booleans(),
)
def test_attention_of_one_query(n, groups, each, s, d, width, masked):
    q, keys, values, mask = attention_of(n, groups * each, groups, s, d, width, masked)
    out = decode.decode_attention(q, keys, values, mask, 0.3)
    np.testing.assert_allclose(out, ATTENTION(q, keys, values, mask, 0.3), rtol=1e-5, atol=1e-5)


def test_keys_may_be_parts_of_a_longer_memory():
    q, keys, values, _ = attention_of(2, 4, 2, 30, 8, 8, False)
    for view in (slice(0, 17), slice(5, 30), slice(None, None, 2)):
        out = decode.decode_attention(q, keys[:, :, view], values[:, :, view], None, 0.3)
        np.testing.assert_allclose(
            out, ATTENTION(q, keys[:, :, view], values[:, :, view], None, 0.3), rtol=1e-5, atol=1e-5
        )
    turned = np.ascontiguousarray(keys.swapaxes(2, 3)).swapaxes(2, 3)  # rows that are not whole in memory
    np.testing.assert_allclose(
        decode.decode_attention(q, turned, values, None, 0.3),
        ATTENTION(q, keys, values, None, 0.3),
        rtol=1e-5,
        atol=1e-5,
    )


def test_a_query_that_sees_nothing_gives_zeros():
    q, keys, values, mask = attention_of(2, 2, 1, 5, 4, 4, True)
    mask[0] = False
    out = decode.decode_attention(q, keys, values, mask, 1.0)
    assert not out[0].any()
    assert out[1].any()


def test_scores_that_overflow_an_exponential():
    q, keys, values, _ = attention_of(1, 2, 2, 9, 4, 4, False)
    out = decode.decode_attention(q * 1e4, keys, values, None, 1.0)
    np.testing.assert_allclose(out, ATTENTION(q * 1e4, keys, values, None, 1.0), rtol=1e-5, atol=1e-6)


def test_nan_reaches_its_own_head_only():
    q, keys, values, _ = attention_of(1, 2, 2, 9, 4, 4, False)
    keys[0, 1, 3, 2] = np.nan
    out = decode.decode_attention(q, keys, values, None, 1.0)
    assert np.isfinite(out[0, 0]).all()
    assert np.isnan(out[0, 1]).all()


def block_of(n, h, d, hidden, s, affine, dtype=np.float32):
    c = h * d
    arrays = {
        "x": drawn(0, n, 1, c), "q": drawn(1, n, h, d), "keys": drawn(2, n, h, s, d), "values": drawn(3, n, h, s, d),
        "mask": None, "factor": 0.3, "out": drawn(4, c, c), "out_bias": drawn(5, c) if affine else None,
        "scale": drawn(6, c) if affine else None, "shift": drawn(7, c) if affine else None, "eps": 1e-5,
        "up": drawn(8, hidden, c), "up_bias": drawn(9, hidden) if affine else None, "activation": "gelu",
        "down": drawn(10, c, hidden), "down_bias": drawn(11, c) if affine else None,
    }  # fmt: skip
    return {k: v.astype(dtype) if isinstance(v, np.ndarray) else v for k, v in arrays.items()}


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(1, 3),
    h=st.integers(1, 3),
    d=st.integers(1, 6),
    hidden=st.integers(0, 12),
    s=st.integers(1, 6),
    affine=st.booleans(),
    activation=st.sampled_from(ACTIVATIONS),
)
def test_a_block(n, h, d, hidden, s, affine, activation):
    arrays = block_of(n, h, d, hidden, s, affine) | {"activation": activation}
    y = decode.decode_block(*arrays.values())
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, BLOCK(*arrays.values()), rtol=2e-4, atol=5e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["numba", "numpy"])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("n", [1, 3])
def test_a_layer_writes_its_key_and_value_and_is_a_block(n, groups, name, dtype):
    h, d = 4, 6
    c = h * d
    arrays = block_of(n, h, d, 20, 5, True, dtype)
    x, _, _, _, *rest = arrays.values()
    qkv, bias = (
        drawn(12, (h + 2 * groups) * d, c).astype(dtype),
        drawn(13, (h + 2 * groups) * d).astype(dtype),
    )
    # Room of a cache that goes on behind what is seen.
    memory = [drawn(14 + i, n, groups, 9, d).astype(dtype) for i in range(2)]
    keys, values = (one[:, :, 1:6] for one in memory)
    parts = LINEAR(x, arrays["scale"], arrays["shift"], 1e-5, qkv, bias).reshape(n, h + 2 * groups, d)
    whole_keys, whole_values = keys.copy(), values.copy()
    whole_keys[:, :, -1], whole_values[:, :, -1] = parts[:, h : h + groups], parts[:, h + groups :]
    expected = BLOCK(x, parts[:, :h], whole_keys, whole_values, *rest)
    before = [one.copy() for one in memory]
    run = decode.decode_layer if name == "numba" else kernels.kernel("decode_layer", name)
    y = run(x, arrays["scale"], arrays["shift"], 1e-5, qkv, bias, keys, values, *rest)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=2e-4, atol=5e-4)
    np.testing.assert_allclose(keys, whole_keys, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(values, whole_values, rtol=2e-4, atol=2e-4)
    for one, old in zip(memory, before, strict=True):
        one[:, :, 5] = old[:, :, 5]
        np.testing.assert_array_equal(one, old)


def test_a_block_in_float64_is_numpys():
    arrays = block_of(2, 2, 3, 8, 5, True, np.float64)
    y = decode.decode_block(*arrays.values())
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, BLOCK(*arrays.values()), rtol=1e-9)


def test_numpys_kernels_are_the_loops():
    arrays = block_of(2, 2, 3, 8, 5, True, np.float64)
    expected = BLOCK(*arrays.values())
    np.testing.assert_allclose(kernels.kernel("decode_block", "numpy")(*arrays.values()), expected, rtol=1e-9)
    q, keys, values, mask = attention_of(2, 4, 2, 7, 3, 5, True)
    numpy = kernels.kernel("decode_attention", "numpy")
    for some in (mask, None):
        np.testing.assert_allclose(
            numpy(q, keys, values, some, 0.3), ATTENTION(q, keys, values, some, 0.3), rtol=1e-5, atol=1e-6
        )


MODELS = {
    "gpt": lambda: GPT(GPTConfig(31, 24, 2, 2, 16)),
    "gpt, no biases, relu": lambda: GPT(GPTConfig(31, 24, 2, 4, 16, bias=False, activation="relu")),
    "gpt, gelu_new": lambda: GPT(GPTConfig(31, 24, 2, 2, 16, activation="gelu_new")),
    "llama": lambda: Llama(
        LlamaConfig(
            vocab_size=31, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=24,
        )
    ),
}  # fmt: skip


def sharpened(model):
    """Weights as of a trained model, not of one that says nothing."""
    rng = np.random.default_rng(0)
    for _, parameter in model.named_parameters():
        parameter.write(rng.normal(0, 0.3, parameter.shape))
    return model.eval()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_token_by_token(name):
    model = sharpened(MODELS[name]())
    tokens = np.random.default_rng(1).integers(0, 31, (2, 20))
    expected = model(tokens).array
    with tt_perf.accelerate(malloc=False):
        cache = model.new_cache()
        steps = [model(tokens[:, :5], cache=cache).array]
        steps += [model(tokens[:, i : i + 1], cache=cache).array for i in range(5, 20)]
    np.testing.assert_allclose(np.concatenate(steps, axis=1), expected, rtol=1e-3, atol=1e-4)


def test_a_hook_is_heeded():
    model = sharpened(MODELS["gpt"]())
    seen = []
    model.transformer.h[1].mlp.act.register_forward_hook(lambda module, given, y: seen.append(y.shape))
    tokens = np.array([[1, 2, 3]])
    with tt_perf.accelerate(malloc=False):
        cache = model.new_cache()
        model(tokens, cache=cache)
        model(tokens[:, :1], cache=cache)
    assert seen == [(1, 3, 64), (1, 1, 64)]
