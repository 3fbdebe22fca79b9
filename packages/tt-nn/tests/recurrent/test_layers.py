"""RNN, LSTM and GRU: laws of sequences, states and directions, and what does not fit."""

import numpy as np
import pytest

import tt_nn as nn
from tt_tensor import Tensor, kernels, manual_seed
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

LAYERS = [nn.RNN, nn.LSTM, nn.GRU]
CELLS = {nn.RNN: nn.RNNCell, nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}
both = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)


def sequence(*shape, seed=0, dtype=np.float64):
    return Tensor(np.random.default_rng(seed).normal(size=shape).astype(dtype))


def flat(found):
    return [found] if isinstance(found, Tensor) else [one for part in found for one in flat(part)]


def same(found, wanted, tolerance=1e-12):
    for one, other in zip(flat(found), flat(wanted), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one.numpy(), other.numpy(), tolerance, tolerance)


@both
def test_a_layer_is_its_cell_step_after_step(layer):
    whole, cell = layer(3, 4).double(), CELLS[layer](3, 4).double()
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in whole.state_dict().items()})
    x, state, said = sequence(5, 2, 3), None, []
    for now in x:
        state = cell(now, state)
        said.append(flat(state)[0])
    output, last = whole(x)
    for t, hidden in enumerate(said):
        same(output[t], hidden)
    same([end[0] for end in flat(last)], state)


@both
def test_it_goes_on_where_it_stopped(layer):
    model, x = layer(3, 4, num_layers=2).double(), sequence(7, 2, 3)
    output, last = model(x)
    first, state = model(x[:3])
    second, end = model(x[3:], state)
    same(first, output[:3])
    same(second, output[3:])
    same(end, last)


@both
def test_batch_first_and_no_batch_are_the_same_numbers(layer):
    model, other = layer(3, 4, bidirectional=True).double(), layer(3, 4, bidirectional=True, batch_first=True)
    other.double().load_state_dict(model.state_dict())
    x = sequence(5, 2, 3)
    output, last = model(x)
    turned, end = other(x.swapaxes(0, 1))
    same(turned.swapaxes(0, 1), output)
    same(end, last)
    alone, end = model(x[:, 1])
    same(alone, output[:, 1])
    same(end, [state[:, 1] for state in flat(last)])


@both
def test_the_second_direction_reads_from_the_end(layer):
    model, forth, back = [layer(3, 4, bidirectional=two).double() for two in (True, False, False)]
    state = model.state_dict()
    forth.load_state_dict({name: p for name, p in state.items() if not name.endswith("_reverse")})
    back.load_state_dict(
        {name.removesuffix("_reverse"): p for name, p in state.items() if name.endswith("_reverse")}
    )
    x = sequence(5, 2, 3)
    output, last = model(x)
    there, end = forth(x)
    again, begin = back(x[::-1])
    same(output[:, :, :4], there)
    same(output[:, :, 4:], again[::-1])
    same([state[0] for state in flat(last)], [state[0] for state in flat(end)])
    same([state[1] for state in flat(last)], [state[0] for state in flat(begin)])


@both
def test_the_loops_give_the_same(layer):
    model, x = layer(3, 2, num_layers=2).double(), sequence(3, 2, 3)
    with kernels.use("loops"):
        slow = model(x)
    same(model(x), slow)


@both
def test_dropout_is_between_layers_in_training_only(layer):
    model, x = layer(3, 8, num_layers=2, dropout=0.5), sequence(4, 2, 3, dtype=np.float32)
    manual_seed(0)
    first = model(x)[0]
    assert not np.array_equal(first, model(x)[0])
    manual_seed(0)
    same(model(x)[0], first, 0)
    model.eval()
    same(model(x)[0], model(x)[0], 0)
    one = layer(3, 8, dropout=0.5)
    same(one(x)[0], one(x)[0], 0)


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_the_dtype_stays(layer, dtype):
    model, x = layer(3, 4).to(dtype), sequence(5, 2, 3).astype(dtype)
    assert {part.dtype for part in flat(model(x))} == {np.dtype(dtype)}


@both
def test_an_empty_batch(layer):
    output, last = layer(3, 4)(Tensor(np.zeros((5, 0, 3), np.float32)))
    assert output.shape == (5, 0, 4) and flat(last)[0].shape == (1, 0, 4)


@both
def test_what_does_not_fit(layer):
    model = layer(3, 4, num_layers=2, batch_first=True)
    x = np.zeros((2, 5, 3), np.float32)
    with pytest.raises(ShapeError, match=r"\(batch, steps, 3\).*\(2, 5, 4\)"):
        model(np.zeros((2, 5, 4), np.float32))
    with pytest.raises(ShapeError, match=r"\(2, 0, 3\) has no step"):
        model(x[:, :0])
    with pytest.raises(DTypeError, match="int64"):
        layer(3, 4)(np.zeros((5, 2, 3), np.int64))
    state = np.zeros((1, 2, 4), np.float32)
    with pytest.raises(ShapeError, match=r"\(2, 2, 4\), also with batch_first; not \(1, 2, 4\)"):
        model(x, (state, state) if layer is nn.LSTM else state)
    for wrong in ({"num_layers": 0}, {"hidden_size": 0}, {"dropout": 2.0}, {"input_size": 1.5}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            layer(**{"input_size": 3, "hidden_size": 4, **wrong})
    with pytest.raises(ShapeError, match=r"\(batch, 3\)"):
        CELLS[layer](3, 4)(x)


def test_states_and_nonlinearities_that_are_none():
    x = np.zeros((2, 5, 3), np.float32)
    with pytest.raises(ArgumentError, match=r"tuple \(h, c\)"):
        nn.LSTM(3, 4)(x, np.zeros((1, 5, 4)))
    with pytest.raises(ArgumentError, match=r"tuple \(h, c\)"):
        nn.LSTMCell(3, 4)(x[0], np.zeros((5, 4)))
    with pytest.raises(ShapeError, match=r"a state has shape \(5, 4\), not \(1, 4\)"):
        nn.GRUCell(3, 4)(x[0], np.zeros((1, 4)))
    for layer in (nn.RNN, nn.RNNCell):
        with pytest.raises(ArgumentError, match="'tanh' or 'relu', not 'gelu'"):
            layer(3, 4, nonlinearity="gelu")


def test_names_and_shapes_are_pytorchs():
    model = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    assert [(name, p.shape) for name, p in model.named_parameters()][4:12] == [
        ("weight_ih_l0_reverse", (16, 3)),
        ("weight_hh_l0_reverse", (16, 4)),
        ("bias_ih_l0_reverse", (16,)),
        ("bias_hh_l0_reverse", (16,)),
        ("weight_ih_l1", (16, 8)),
        ("weight_hh_l1", (16, 4)),
        ("bias_ih_l1", (16,)),
        ("bias_hh_l1", (16,)),
    ]
    assert repr(model) == "LSTM(3, 4, num_layers=2, bidirectional=True)"
    for parameter in model.parameters():
        assert np.abs(parameter).max() <= 0.5
        assert parameter.std().item() > 0.2
