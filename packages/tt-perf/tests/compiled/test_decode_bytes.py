"""Kernels of one new token for layers of bytes: what the layers give that are called one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="compiled kernels need numba")
pytest.importorskip("tt_text", reason="language models come with tt-text: pip install 'tt-perf[compete]'")

import tt_perf
from tt_nn import LayerNorm, Linear, shards
from tt_perf.compiled import decode
from tt_perf.compiled.bytes import WIDTH
from tt_tensor import kernels, manual_seed
from tt_text import GPT, AppendCache, GPTConfig
from tt_text.kernels.decode import ACTIVATIONS, is_linear

LINEAR, BLOCK = (kernels.kernel(name, "numpy") for name in ("norm_linear", "decode_block"))
SETTINGS = [
    {},
    {"symmetric": False},
    {"group_size": 64},
    {"group_size": 64, "symmetric": False},
    {"group_size": 12, "symmetric": False},
    {"per": "tensor"},
    {"scheme": "int8-dynamic"},
    {"scheme": "int8-dynamic", "group_size": 64, "symmetric": False},
    {"scheme": "int16"},
    {"scheme": "bfloat16"},
]


@pytest.fixture(autouse=True)
def two_threads():
    with shards.threads(2):
        yield


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def layer(seed, outside, inside, biased, how):
    made = Linear(inside, outside, bias=biased)
    made.weight.write(drawn(seed, outside, inside))
    if biased:
        made.bias.write(drawn(seed + 100, outside))
    return tt_perf.quantize(made, **how)


def close(y, expected):
    """Sums of integers, rounded once or twice."""
    assert y.dtype == np.float32 and y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(expected).max(initial=0)))


@settings(deadline=None, max_examples=60)
@given(
    lead=st.sampled_from([(1, 1), (1,), (3, 1), (0, 1), (9, 1)]),
    inside=st.sampled_from([1, 7, 64, 100, 192, 256]),
    outside=st.integers(1, 40),
    biased=st.booleans(),
    how=st.sampled_from(SETTINGS),
)
def test_norm_and_product(lead, inside, outside, biased, how):
    x, made = drawn(0, *lead, inside) + 1, layer(1, outside, inside, biased, how)
    scale, shift = (drawn(2, inside), drawn(3, inside)) if biased else (None, None)
    bias = made.bias.array if biased else None
    close(decode.norm_linear(x, scale, shift, 1e-5, made, bias), LINEAR(x, scale, shift, 1e-5, made, bias))


def block_of(n, h, d, hidden, how):
    c = h * d
    out, up, down = (
        layer(4, c, c, True, how),
        layer(8, hidden, c, False, how),
        layer(10, c, hidden, True, how),
    )
    return {
        "x": drawn(0, n, 1, c), "q": drawn(1, n, h, d), "keys": drawn(2, n, h, 5, d), "values": drawn(3, n, h, 5, d),
        "mask": None, "factor": 0.3, "out": out, "out_bias": out.bias.array, "scale": drawn(6, c),
        "shift": drawn(7, c), "eps": 1e-5, "up": up, "up_bias": None, "activation": "gelu", "down": down,
        "down_bias": down.bias.array,
    }  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 3),
    d=st.sampled_from([3, 32, 64]),
    hidden=st.sampled_from([8, 100, 256]),
    how=st.sampled_from(SETTINGS),
    activation=st.sampled_from(ACTIVATIONS),
)
def test_a_block(n, d, hidden, how, activation):
    arrays = block_of(n, 2, d, hidden, how) | {"activation": activation}
    if "dynamic" in how.get(
        "scheme", ""
    ):  # a code that falls on the other side of a half moves a sum by a step
        y, expected = decode.decode_block(*arrays.values()), BLOCK(*arrays.values())
        assert np.abs(y - expected).max() <= 0.02 * np.abs(expected).max()
    else:
        close(decode.decode_block(*arrays.values()), BLOCK(*arrays.values()))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_comes_through(bad):
    arrays = block_of(2, 2, 32, 64, {})
    arrays["values"][1, 0, 2, 3] = bad
    with np.errstate(invalid="ignore"):
        y = decode.decode_block(*arrays.values())
    assert np.isfinite(y[0]).all() and np.isnan(y[1]).all()


def test_weights_that_are_written_to_count_at_once():
    x, made = drawn(0, 1, 64), layer(1, 24, 64, False, {"group_size": 64})
    before = decode.norm_linear(x, None, None, 1e-5, made, None)
    made.weight.write(np.roll(made.weight.array, 1, axis=0))
    made.scale.write(np.roll(made.scale.array, 1, axis=0))
    close(decode.norm_linear(x, None, None, 1e-5, made, None), np.roll(before, 1, axis=1))


class Louder(tt_perf.quantization.QuantizedLinear):
    def forward(self, x):
        return super().forward(x) * 2


def test_who_stands_for_a_linear():
    made = layer(1, 4, 8, True, {})
    assert is_linear(made) and is_linear(Linear(3, 4)) and not is_linear(LayerNorm(3))
    made.register_forward_hook(lambda *_: None)
    assert not is_linear(made)
    louder = layer(1, 4, 8, True, {})
    louder.__class__ = Louder
    assert not is_linear(louder)


@pytest.mark.parametrize("how", SETTINGS, ids=lambda how: " ".join(map(str, how.values())) or "int8")
@pytest.mark.parametrize("skip", [(), "*.1.mlp.c_proj"], ids=["all", "all but one"])
@pytest.mark.parametrize("append", [False, True], ids=["KVCache", "AppendCache"])
def test_a_whole_model_says_what_its_layers_say(how, skip, append):
    manual_seed(0)
    model = GPT(GPTConfig(vocab_size=50, block_size=24, n_layer=2, n_head=2, n_embd=64)).eval()
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.write(parameter.array * 5)
    small = tt_perf.quantize(model, **how, skip=skip)
    tokens = np.random.default_rng(0).integers(0, 50, (2, 12))
    expected = small(tokens).array
    with tt_perf.accelerate(malloc=False):
        cache = AppendCache() if append else tt_perf.KVCache.for_model(small, batch=2)
        found = [small(tokens[:, :4], cache=cache).array]
        found += [small(tokens[:, i : i + 1], cache=cache).array for i in range(4, 12)]
    room = 0.05 if "dynamic" in how.get("scheme", "") else 2e-4
    y = np.concatenate(found, axis=1)
    assert np.abs(y - expected).max() <= room * np.abs(expected).max()


@pytest.mark.skipif(not WIDTH, reason="this processor has no instruction for bytes")
def test_the_kernel_runs_and_not_what_it_falls_back_to(monkeypatch):
    from tt_perf.compiled import decode_bytes

    def refuse(operation):
        raise AssertionError(operation)

    monkeypatch.setattr(decode_bytes, "fallback", refuse)
    arrays = block_of(1, 2, 32, 64, {})
    decode.decode_block(*arrays.values())
    decode.norm_linear(arrays["x"], None, None, 1e-5, arrays["up"], None)
