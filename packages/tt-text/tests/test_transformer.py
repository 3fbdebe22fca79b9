"""Stacks and the Transformer: copies, norms, detection of causal masks, initial values, wrong calls."""

import math

import numpy as np
import pytest

from tt_nn import LayerNorm, Module
from tt_tensor import Tensor, manual_seed
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_text import (
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
    generate_square_subsequent_mask,
)


def numbers(shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def made(**kwargs):
    manual_seed(0)
    settings = {
        "d_model": 4,
        "nhead": 2,
        "num_encoder_layers": 2,
        "num_decoder_layers": 2,
        "dim_feedforward": 6,
    }
    return Transformer(**settings | {"batch_first": True} | kwargs).double().eval()


def test_layers_are_deep_copies_with_equal_numbers():
    layer = TransformerEncoderLayer(4, 2, 6)
    stack = TransformerEncoder(layer, 3)
    assert len(stack.layers) == stack.num_layers == 3
    assert len({id(parameter) for module in (layer, stack) for parameter in module.parameters()}) == 4 * 12
    for copied in stack.layers:
        np.testing.assert_array_equal(copied.linear1.weight, layer.linear1.weight)
    stack.layers[0].linear1.weight.write(0)
    assert layer.linear1.weight.numpy().any() and stack.layers[1].linear1.weight.numpy().any()
    assert {name.split(".")[1] for name in stack.state_dict()} == {"0", "1", "2"}


def test_a_stack_is_one_layer_after_the_other_and_a_norm():
    model = made()
    for norm in (model.encoder.norm, model.decoder.norm):
        norm.weight.write(numbers((4,), 7))
    x, y = Tensor(numbers((2, 3, 4))), Tensor(numbers((2, 5, 4), 1))
    memory = x
    for layer in model.encoder.layers:
        memory = layer(memory)
    memory = model.encoder.norm(memory)
    np.testing.assert_array_equal(model.encoder(x), memory)
    out = y
    for layer in model.decoder.layers:
        out = layer(out, memory, tgt_is_causal=True)
    out = model.decoder.norm(out)
    np.testing.assert_allclose(model(x, y, tgt_is_causal=True), out, rtol=1e-10)
    model.decoder.norm = None
    assert np.abs(model(x, y, tgt_is_causal=True).numpy() - out.numpy()).max() > 1e-3


def test_no_layers_let_everything_pass():
    x = numbers((2, 3, 4))
    np.testing.assert_array_equal(TransformerEncoder(TransformerEncoderLayer(4, 2), 0)(x), x)
    norm = LayerNorm(4).double()
    np.testing.assert_array_equal(
        TransformerDecoder(TransformerDecoderLayer(4, 2), 0, norm)(x, x), norm(Tensor(x))
    )


class Asked(Module):
    """Notes what a stack calls it with."""

    calls: list = []

    def forward(self, x, *args, **kwargs):
        self.calls.append(kwargs)
        return x


@pytest.mark.parametrize(
    ("mask", "told", "wanted"),
    [
        (None, None, False),
        (None, True, True),
        (generate_square_subsequent_mask(3), None, True),
        (generate_square_subsequent_mask(3), False, False),
        (np.triu(np.ones((3, 3), bool), 1), None, True),
        (np.triu(np.ones((3, 3), bool)), None, False),
        (np.triu(np.full((3, 3), -1e9), 1), None, False),
        (np.zeros((3, 3)), None, False),
        (np.tril(np.full((3, 3), -np.inf), -1), None, False),
        (np.where(np.tri(3) > 0, 0.5, -np.inf), None, False),
        (np.zeros((4, 3, 3), bool), None, False),
    ],
)
def test_a_causal_mask_is_recognised(mask, told, wanted):
    Asked.calls.clear()
    x = numbers((1, 3, 4))
    TransformerEncoder(Asked(), 2)(x, mask, is_causal=told)
    TransformerDecoder(Asked(), 1)(x, x, mask, tgt_is_causal=told)
    assert [call.get("is_causal", call.get("tgt_is_causal")) for call in Asked.calls] == [wanted] * 3


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_later_token_of_the_target_changes_no_earlier_output(batch_first):
    model = made(batch_first=batch_first)
    src, tgt = numbers((2, 4, 4)), numbers((2, 5, 4), 1)
    mask = model.generate_square_subsequent_mask(5)

    def run(src, tgt):
        given = [x if batch_first else x.swapaxes(0, 1) for x in (src, tgt)]
        y = model(*given, tgt_mask=mask).numpy()
        return y if batch_first else y.swapaxes(0, 1)

    y = run(src, tgt)
    changed = tgt.copy()
    changed[:, 3:] += numbers((2, 2, 4), 2)
    again = run(src, changed)
    np.testing.assert_allclose(again[:, :3], y[:, :3], rtol=1e-12)
    assert not np.isclose(again[:, 3:], y[:, 3:]).all(axis=-1).any()
    # Every token of the source reaches every output.
    for place in range(4):
        changed = src.copy()
        changed[:, place] += numbers((2, 4), 3)
        assert not np.isclose(run(changed, tgt), y).all(axis=-1).any()


def test_a_hint_and_a_mask_about_the_memory_say_the_same():
    model = made()
    src, tgt = numbers((2, 4, 4)), numbers((2, 4, 4), 1)
    y = model(src, tgt, memory_is_causal=True)
    mask = generate_square_subsequent_mask(4)
    np.testing.assert_allclose(model(src, tgt, memory_mask=mask), y, rtol=1e-10)
    assert np.abs(model(src, tgt).numpy() - y.numpy()).max() > 1e-3
    y = model(src, tgt, src_is_causal=True)
    np.testing.assert_allclose(model(src, tgt, src_mask=mask), y, rtol=1e-10)
    assert np.abs(model(src, tgt).numpy() - y.numpy()).max() > 1e-3


def test_padding_of_the_source_is_as_if_it_were_not_there():
    model = made()
    src, tgt = numbers((2, 4, 4)), numbers((2, 5, 4), 1)
    padding = np.array([[False, False, True, True]] * 2)
    y = model(src, tgt, src_key_padding_mask=padding, memory_key_padding_mask=padding)
    np.testing.assert_allclose(y, model(src[:, :2], tgt), rtol=1e-10)


def test_weights_begin_xavier_uniform_and_each_layer_its_own():
    manual_seed(0)
    model = Transformer(32, 4, 2, 1, 64)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            bound = math.sqrt(6 / sum(parameter.shape))
            assert 0.95 * bound < np.abs(parameter.numpy()).max() <= bound, name
        elif "norm" in name:
            np.testing.assert_array_equal(parameter, np.full(32, "weight" in name), err_msg=name)
    first, second = (layer.linear1.weight.numpy() for layer in model.encoder.layers)
    assert (first != second).any()


def test_defaults_are_the_base_model_of_2017():
    # As PyTorch counts them.
    model = Transformer(dropout=0.0)
    assert sum(parameter.numpy().size for parameter in model.parameters()) == 44_140_544
    assert len(model.encoder.layers) == len(model.decoder.layers) == 6


def test_custom_stacks_are_taken():
    Asked.calls.clear()
    model = Transformer(4, 2, custom_encoder=Asked(), custom_decoder=Asked())
    x = numbers((2, 3, 4))
    np.testing.assert_array_equal(model(x, x, memory_mask=np.ones((2, 2))), x)
    assert Asked.calls[1]["memory_mask"].shape == (2, 2)
    assert not list(model.parameters())


@pytest.mark.parametrize(
    ("text", "src", "tgt"),
    [
        ("batch sizes", (2, 3, 4), (1, 3, 4)),
        ("d_model = 4", (2, 3, 5), (2, 3, 5)),
        ("3 axes", (2, 3, 4), (3, 4)),
        ("3 axes", (4,), (4,)),
    ],
)
def test_wrong_shapes(text, src, tgt):
    with pytest.raises(ShapeError, match=text):
        made()(np.ones(src), np.ones(tgt))
    with pytest.raises(ShapeError, match="axis 1 with batch_first=False"):
        made(batch_first=False)(np.ones((3, 2, 4)), np.ones((3, 3, 4)))


def test_wrong_settings():
    layer = TransformerEncoderLayer(4, 2, 6)
    for count in (-1, 1.5, True):
        with pytest.raises(ArgumentError, match="num_layers"):
            TransformerEncoder(layer, count)
    for kind in (TransformerEncoder, TransformerDecoder):
        with pytest.raises(DTypeError, match=f"{kind.__name__}: the layer is a module"):
            kind(TransformerEncoderLayer, 2)
