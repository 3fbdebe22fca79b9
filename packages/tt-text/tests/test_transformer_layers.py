"""TransformerEncoderLayer and TransformerDecoderLayer: their parts, what they depend on, wrong settings.

PyTorch's values are in test_transformer_goldens.py, gradients in the workspace's tests/test_transformer_gradients.py.
"""

import numpy as np
import pytest

from tt_nn import GELU, Tanh
from tt_nn.functional import gelu, relu
from tt_tensor import Tensor, manual_seed
from tt_tensor.errors import ArgumentError, ShapeError
from tt_text import TransformerDecoderLayer, TransformerEncoderLayer, generate_square_subsequent_mask


def numbers(shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def made(kind, **kwargs):
    manual_seed(0)
    layer = kind(6, 2, 10, batch_first=True, **kwargs).double()
    for seed, parameter in enumerate(layer.parameters()):
        parameter.write(numbers(parameter.shape, seed) * 0.5)
    return layer.eval()


BOTH = pytest.mark.parametrize("norm_first", [False, True])


@BOTH
def test_an_encoder_layer_is_its_parts(norm_first):
    layer = made(TransformerEncoderLayer, norm_first=norm_first, activation="gelu")
    x = Tensor(numbers((2, 3, 6)))

    def attention(x):
        return layer.self_attn(x, x, x)[0]

    def mlp(x):
        return layer.linear2(gelu(layer.linear1(x)))

    if norm_first:
        middle = x + attention(layer.norm1(x))
        wanted = middle + mlp(layer.norm2(middle))
    else:
        middle = layer.norm1(x + attention(x))
        wanted = layer.norm2(middle + mlp(middle))
    np.testing.assert_allclose(layer(x), wanted, rtol=1e-10)


@BOTH
def test_a_decoder_layer_is_its_parts(norm_first):
    layer = made(TransformerDecoderLayer, norm_first=norm_first)
    x, memory = Tensor(numbers((2, 3, 6))), Tensor(numbers((2, 4, 6), 1))
    parts = [
        lambda x: layer.self_attn(x, x, x)[0],
        lambda x: layer.multihead_attn(x, memory, memory)[0],
        lambda x: layer.linear2(relu(layer.linear1(x))),
    ]
    wanted = x
    for part, norm in zip(parts, (layer.norm1, layer.norm2, layer.norm3), strict=True):
        wanted = wanted + part(norm(wanted)) if norm_first else norm(wanted + part(wanted))
    np.testing.assert_allclose(layer(x, memory), wanted, rtol=1e-10)


def test_parameters_stand_in_pytorchs_order():
    encoder = [name for name, _ in TransformerEncoderLayer(4, 2, 8).named_parameters()]
    attention = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
    tail = [
        f"{name}.{part}" for name in ("linear1", "linear2", "norm1", "norm2") for part in ("weight", "bias")
    ]
    assert encoder == [f"self_attn.{name}" for name in attention] + tail
    decoder = [name for name, _ in TransformerDecoderLayer(4, 2, 8).named_parameters()]
    both = [f"{layer}.{name}" for layer in ("self_attn", "multihead_attn") for name in attention]
    assert decoder == [*both, *tail, "norm3.weight", "norm3.bias"]
    assert not any(
        "bias" in name for name, _ in TransformerDecoderLayer(4, 2, 8, bias=False).named_parameters()
    )
    assert TransformerEncoderLayer(4, 2).linear1.weight.shape == (2048, 4)
    assert TransformerEncoderLayer(4, 2, dtype=np.float64).norm2.weight.dtype == np.float64


@BOTH
@pytest.mark.parametrize("kind", [TransformerEncoderLayer, TransformerDecoderLayer])
def test_a_later_token_changes_no_earlier_output(kind, norm_first):
    layer = made(kind, norm_first=norm_first)
    x, memory = numbers((2, 5, 6)), numbers((2, 3, 6), 1)
    rest = (memory,) if kind is TransformerDecoderLayer else ()
    name = "tgt" if rest else "src"
    for call in (
        {"tgt_is_causal" if rest else "is_causal": True},
        {f"{name}_mask": generate_square_subsequent_mask(5)},
        {f"{name}_mask": np.triu(np.ones((5, 5), bool), 1)},
    ):
        y = layer(x, *rest, **call).numpy()
        changed = x.copy()
        changed[:, 2:] += numbers((2, 3, 6), 3)  # not the same for all features: a norm would not see that
        again = layer(changed, *rest, **call).numpy()
        np.testing.assert_allclose(again[:, :2], y[:, :2], rtol=1e-12)
        assert not np.isclose(again[:, 2:], y[:, 2:]).all(axis=-1).any()


@BOTH
def test_memory_matters_and_padding_of_it_does_not(norm_first):
    layer = made(TransformerDecoderLayer, norm_first=norm_first)
    x, memory = numbers((2, 3, 6)), numbers((2, 4, 6), 1)
    y = layer(x, memory).numpy()
    assert np.abs(layer(x, memory * 1.5).numpy() - y).max() > 1e-3
    padding = np.array([[False, False, True, True]] * 2)
    wanted = layer(x, memory[:, :2])
    np.testing.assert_allclose(layer(x, memory, memory_key_padding_mask=padding), wanted, rtol=1e-10)
    np.testing.assert_allclose(layer(x, memory, memory_mask=np.tile(padding[0], (3, 1))), wanted, rtol=1e-10)


@pytest.mark.parametrize("kind", [TransformerEncoderLayer, TransformerDecoderLayer])
def test_dropout_is_for_training(kind):
    layer = made(kind, dropout=0.3)
    x = numbers((2, 3, 6))
    rest = (x,) if kind is TransformerDecoderLayer else ()
    y = layer(x, *rest).numpy()
    np.testing.assert_array_equal(layer(x, *rest), y)
    layer.train()
    manual_seed(1)
    first = layer(x, *rest).numpy()
    assert (layer(x, *rest).numpy() != first).any()
    manual_seed(1)
    np.testing.assert_array_equal(layer(x, *rest), first)
    # All silenced: what is left is the residual stream, here through the norms first.
    silent = made(kind, dropout=1.0, norm_first=True).train()
    np.testing.assert_array_equal(silent(x, *rest), x)


@pytest.mark.parametrize("kind", [TransformerEncoderLayer, TransformerDecoderLayer])
def test_each_dropout_silences_its_own_place(kind):
    layer = made(kind, dropout=0.0, norm_first=True).train()
    x, memory = Tensor(numbers((2, 3, 6))), Tensor(numbers((2, 4, 6), 1))
    rest = (memory,) if kind is TransformerDecoderLayer else ()
    last = layer.norm3 if rest else layer.norm2
    branches = [lambda x: layer.self_attn(layer.norm1(x), layer.norm1(x), layer.norm1(x))[0]]
    if rest:
        branches.append(lambda x: layer.multihead_attn(layer.norm2(x), memory, memory)[0])
    branches.append(lambda x: layer.linear2(relu(layer.linear1(last(x)))))
    for silent in range(len(branches)):
        place = getattr(layer, f"dropout{silent + 1}")
        place.p, wanted = 1.0, x
        for number, branch in enumerate(branches):
            wanted = wanted if number == silent else wanted + branch(wanted)
        np.testing.assert_allclose(layer(x, *rest), wanted, rtol=1e-10)
        place.p = 0.0
    # That between the linear layers leaves the second one's bias.
    layer.dropout.p, wanted = 1.0, x
    for branch in branches[:-1]:
        wanted = wanted + branch(wanted)
    np.testing.assert_allclose(layer(x, *rest), wanted + layer.linear2.bias, rtol=1e-10)
    layer.dropout.p = 0.0
    layer.self_attn.dropout = 1.0  # and that on the weights the bias of the projection
    wanted = x + layer.self_attn.out_proj.bias
    for branch in branches[1:]:
        wanted = wanted + branch(wanted)
    np.testing.assert_allclose(layer(x, *rest), wanted, rtol=1e-10)


def test_activations():
    x = numbers((1, 3, 6))
    wanted = made(TransformerEncoderLayer, activation="gelu")(x)
    for same in (gelu, GELU()):
        np.testing.assert_array_equal(made(TransformerEncoderLayer, activation=same)(x), wanted)
    assert (made(TransformerEncoderLayer, activation=Tanh())(x).numpy() != wanted.numpy()).any()
    np.testing.assert_array_equal(
        made(TransformerEncoderLayer)(x), made(TransformerEncoderLayer, activation="relu")(x)
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_and_nothing(dtype):
    for shape in ((2, 3, 6), (0, 3, 6), (2, 0, 6)):
        x = Tensor(numbers(shape, 0, dtype))
        encoder, decoder = made(TransformerEncoderLayer).to(dtype), made(TransformerDecoderLayer).to(dtype)
        for y in (encoder(x), decoder(x, x), encoder(x, is_causal=True)):
            assert y.dtype == dtype and y.shape == shape


@pytest.mark.parametrize("kind", [TransformerEncoderLayer, TransformerDecoderLayer])
def test_wrong_settings(kind):
    for activation in ("swoosh", GELU, 3, None):
        with pytest.raises(ArgumentError, match="activation"):
            kind(4, 2, activation=activation)
    with pytest.raises(ArgumentError, match="embed_dim 4 is no multiple of num_heads 3"):
        kind(4, 3)
    with pytest.raises(ArgumentError, match="from 0 up"):
        kind(4, 2, -1)
    with pytest.raises(ArgumentError, match="probability"):
        kind(4, 2, dropout=2.0)
    layer = made(kind)
    x = numbers((2, 3, 5))
    with pytest.raises(ShapeError):
        layer(x, *((x,) if kind is TransformerDecoderLayer else ()))
