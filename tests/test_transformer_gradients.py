"""Attention modules through the tape: gradients as PyTorch's goldens, as central differences, and of higher order."""

import copy
import json

import numpy as np
import pytest
from wheel_graph import ROOT

import tt_autograd
import tt_text
from tt_autograd.gradcheck import gradcheck_report, gradgradcheck_report
from tt_tensor import Tensor, kernels, manual_seed
from tt_tensor.errors import GradientError, InPlaceError

HERE = ROOT / "packages/tt-text/tests/goldens"
SPECS = json.loads((HERE / "transformers.json").read_text())
NUMBERS = np.load(HERE / "transformers.npz")["numbers"]
ENDS = np.cumsum([spec["size"] for spec in SPECS])


def draw(shape, seed, scale=1.0):
    values = np.random.default_rng(seed).normal(size=tuple(shape)) * scale
    return values.astype(np.float32)


def mask_of(kind, shape, seed):
    if kind == "causal":
        return np.triu(np.full(shape, -np.inf, np.float32), 1)
    if kind == "causal-bool":
        return np.triu(np.ones(shape, bool), 1)
    values = draw(shape, seed)
    if kind == "add":
        return values
    hidden = values > 0.3
    hidden[..., 0] = False
    return hidden


def made(spec, dtype):
    """The layer in eval mode, what its forward is called with, its distinct inputs."""
    layer = getattr(tt_text, spec["layer"])(**spec["kwargs"]).to(dtype).eval()
    names = enumerate(spec["state"].items(), 100)
    layer.load_state_dict({name: draw(shape, seed, 0.5) for seed, (name, shape) in names})
    given = []
    for seed, shape in enumerate(spec["inputs"]):
        same = isinstance(shape, int)
        given.append(given[shape] if same else Tensor(draw(shape, seed).astype(dtype), requires_grad=True))
    call = {
        name: mask_of(*value, seed) if isinstance(value, list) else value
        for seed, (name, value) in enumerate(spec["call"].items(), 50)
    }
    return layer, given, call


def name(index):
    return f"{index} {SPECS[index]['layer']}"


@pytest.mark.parametrize("index", range(len(SPECS)), ids=name)
def test_outputs_and_gradients_are_those_of_pytorch(index):
    spec = SPECS[index]
    wanted = NUMBERS[ENDS[index] - spec["size"] : ENDS[index]]
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-6)):
        layer, given, call = made(spec, dtype)
        found = layer(*given, **call)
        found = [part for part in (found if isinstance(found, tuple) else (found,)) if part is not None]
        total = sum(
            (part * Tensor(draw(part.shape, 20 + seed).astype(dtype))).sum()
            for seed, part in enumerate(found)
        )
        leaves = list({id(x): x for x in given}.values()) + list(layer.parameters())
        parts = [*found, *tt_autograd.grad(total, leaves)]
        assert all(part.dtype == dtype for part in parts)
        numbers = np.concatenate([part.numpy().ravel() for part in parts])
        np.testing.assert_allclose(numbers, wanted, rtol=tolerance, atol=2 * tolerance)


# One of each kind.
SOME = [
    {"embed_dim": 4, "num_heads": 2, "num_key_value_heads": 1},
    {"embed_dim": 4, "num_heads": 4, "num_key_value_heads": 2, "window": 2, "bias": False},
    {"embed_dim": 4, "num_heads": 2, "add_bias_kv": True, "add_zero_attn": True, "window": 2},
    {"embed_dim": 4, "num_heads": 2, "kdim": 3, "vdim": 2, "num_key_value_heads": 1},
]


@pytest.mark.parametrize("kwargs", SOME, ids=str)
@pytest.mark.parametrize("check", [gradcheck_report, gradgradcheck_report])
def test_what_pytorch_has_not_by_central_differences(kwargs, check):
    manual_seed(0)
    layer = tt_text.MultiheadAttention(**kwargs, batch_first=True).double()
    own = "kdim" not in kwargs
    shapes = [(2, 3, 4)] if own else [(2, 3, 4), (2, 3, 3), (2, 3, 2)]
    inputs = [
        Tensor(draw(shape, seed).astype(np.float64), requires_grad=True) for seed, shape in enumerate(shapes)
    ]
    mask = Tensor(draw((3, 3), 9).astype(np.float64), requires_grad=True)

    def forward(mask, *inputs):
        given = [inputs[0]] * 3 if own else inputs
        return layer(*given, attn_mask=mask, is_causal=True)

    report = check(forward, (mask, *inputs))
    assert report.ok, report


def test_a_query_that_sees_nothing_sends_no_nan():
    layer = tt_text.MultiheadAttention(4, 2, batch_first=True)
    x = Tensor(draw((1, 3, 4), 0), requires_grad=True)
    hidden = np.zeros((3, 3), bool)
    hidden[1] = True
    for padding in (None, np.ones((1, 3), bool)):
        out, weights = layer(x, x, x, key_padding_mask=padding, attn_mask=hidden)
        ((out * out).sum() + (weights * weights).sum()).backward()
        assert np.isfinite(x.grad.numpy()).all() and not weights.numpy()[0, 1].any()
        np.testing.assert_array_equal(out.numpy()[0, 1], layer.out_proj.bias.numpy())
        for parameter in layer.parameters():
            assert np.isfinite(parameter.grad.numpy()).all()


def test_dropout_sends_back_through_the_mask_of_the_forward():
    layer = tt_text.MultiheadAttention(4, 2, dropout=0.5, batch_first=True).double()
    x = Tensor(draw((2, 5, 4), 0).astype(np.float64), requires_grad=True)

    def forward(x):
        manual_seed(3)  # the same mask each time
        return layer(x, x, x, need_weights=False)[0]

    report = gradcheck_report(forward, (x,))
    assert report.ok, report


@pytest.mark.parametrize("kernel", ["plain", "blockwise"])
def test_kernels_agree_in_a_whole_model(kernel):
    manual_seed(0)
    model = tt_text.Transformer(8, 2, 1, 1, 12, batch_first=True, dropout=0.0).double()
    other = copy.deepcopy(model)
    src, tgt = Tensor(draw((2, 5, 8), 1).astype(np.float64)), Tensor(draw((2, 4, 8), 2).astype(np.float64))
    mask = tt_text.generate_square_subsequent_mask(4)
    with kernels.use("loops", "attention"):
        (model(src, tgt, tgt_mask=mask) ** 2).sum().backward()
    with kernels.use(kernel, "attention"):
        (other(src, tgt, tgt_mask=mask) ** 2).sum().backward()
    for (path, parameter), twin in zip(model.named_parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(parameter.grad, twin.grad, rtol=1e-8, atol=1e-10, err_msg=path)


def test_copies_of_a_layer_learn_apart():
    layer = tt_text.TransformerEncoderLayer(4, 2, 8, dropout=0.0)
    stack = tt_text.TransformerEncoder(layer, 2)
    (stack(Tensor(draw((3, 1, 4), 0))) ** 2).sum().backward()
    first, second = (copied.linear1.weight.grad.numpy() for copied in stack.layers)
    assert layer.linear1.weight.grad is None and not np.allclose(first, second)


def test_a_value_changed_in_place_after_the_forward_is_noticed():
    q, k, v = (Tensor(draw((2, 3, 4), seed), requires_grad=True) for seed in range(3))
    keys = k * 1.0
    out = tt_text.scaled_dot_product_attention(q, keys, v)
    with tt_autograd.no_grad():
        keys[0, 0, 0] = 5.0
    with pytest.raises(InPlaceError, match="changed in place"):
        out.sum().backward()


def test_a_cache_cuts_no_graph_in_silence():
    layer = tt_text.MultiheadAttention(4, 2, batch_first=True)
    x = Tensor(draw((1, 2, 4), 0))
    with pytest.raises(GradientError, match="no_grad"):
        layer(x, x, x, cache=tt_text.AppendCache())
    with tt_autograd.no_grad():
        assert layer(x, x, x, cache=tt_text.AppendCache())[0].shape == (1, 2, 4)
