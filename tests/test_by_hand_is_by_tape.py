"""By hand and by tape, the same rules in the same order: gradients are equal bit for bit, for every module of tt_nn."""

import numpy as np
import pytest
from both_ways import layer_by_hand, layer_by_tape, parameters_of, same_bits

import tt_autograd
import tt_nn as nn
import tt_optim
import tt_tensor
from tt_tensor import Tensor
from tt_tensor.errors import MissingWheelError

DTYPES = (np.float32, np.float64)
# Shapes of inputs: no batch, one row, none, several; and more than one block of memory.
ANY = [(), (1,), (5,), (1, 3), (0, 3), (4, 3), (2, 4, 3), (2, 1, 2, 3), (300, 257)]
ROWS = [(3,), (1, 3), (0, 3), (4, 3), (2, 4, 3), (2, 0, 3), (2000, 3)]
IMAGES = [(1, 2, 3, 4), (5, 2, 3, 4), (0, 2, 3, 4)]

BY_TAPE_ONLY = [
    nn.TripletMarginLoss,
    nn.CosineEmbeddingLoss,
    nn.MarginRankingLoss,
    nn.GaussianNLLLoss,
    nn.PoissonNLLLoss,
]
TWO_INPUTS = {
    nn.CosineSimilarity: nn.CosineSimilarity,
    nn.PairwiseDistance: nn.PairwiseDistance,
    nn.Bilinear: lambda: nn.Bilinear(2, 3, 4),
}
RECURRENT = [nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell]
WITHOUT_FORWARD = [nn.Module, nn.Loss, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict]

# module → ways to make it, shapes to try it on
LAYERS = {
    nn.Linear: ([lambda: nn.Linear(3, 4), lambda: nn.Linear(3, 1, bias=False)], ROWS),
    nn.Identity: ([nn.Identity], ANY),
    nn.Flatten: ([nn.Flatten, lambda: nn.Flatten(0), lambda: nn.Flatten(2, 3)], IMAGES),
    nn.Unflatten: ([lambda: nn.Unflatten(3, (2, 2)), lambda: nn.Unflatten(-1, (1, -1))], IMAGES),
    nn.LayerNorm: (
        [lambda: nn.LayerNorm(3), lambda: nn.LayerNorm(3, bias=False), lambda: nn.LayerNorm(3, 1e-3, False)],
        ROWS,
    ),
    nn.RMSNorm: ([lambda: nn.RMSNorm(3), lambda: nn.RMSNorm((3,), 1e-3, False)], ROWS),
    nn.Dropout: (
        [lambda: nn.Dropout(0.3), nn.Dropout, lambda: nn.Dropout(0.0), lambda: nn.Dropout(1.0)],
        ANY,
    ),
    nn.ReLU: ([nn.ReLU], ANY),
    nn.LeakyReLU: ([nn.LeakyReLU, lambda: nn.LeakyReLU(-0.5)], ANY),
    nn.ELU: ([nn.ELU, lambda: nn.ELU(0.3)], ANY),
    nn.Tanh: ([nn.Tanh], ANY),
    nn.Sigmoid: ([nn.Sigmoid], ANY),
    nn.Softmax: ([nn.Softmax, lambda: nn.Softmax(0)], ANY[1:]),
    nn.LogSoftmax: ([nn.LogSoftmax, lambda: nn.LogSoftmax(0)], ANY[1:]),
    nn.GELU: ([nn.GELU, lambda: nn.GELU("tanh")], ANY),
    nn.SiLU: ([nn.SiLU], ANY),
    nn.Mish: ([nn.Mish], ANY),
    nn.Softplus: ([nn.Softplus, lambda: nn.Softplus(2.0, 3.0)], ANY),
    nn.LogSigmoid: ([nn.LogSigmoid], ANY),
    nn.ReLU6: ([nn.ReLU6], ANY),
    nn.Hardsigmoid: ([nn.Hardsigmoid], ANY),
    nn.Hardswish: ([nn.Hardswish], ANY),
    nn.Hardtanh: ([nn.Hardtanh, lambda: nn.Hardtanh(-0.5, 2.0)], ANY),
    nn.SELU: ([nn.SELU], ANY),
    nn.CELU: ([nn.CELU, lambda: nn.CELU(0.3)], ANY),
    nn.Softsign: ([nn.Softsign], ANY),
    nn.Tanhshrink: ([nn.Tanhshrink], ANY),
    nn.Hardshrink: ([nn.Hardshrink, lambda: nn.Hardshrink(1.0)], ANY),
    nn.Softshrink: ([nn.Softshrink, lambda: nn.Softshrink(0)], ANY),
    nn.Threshold: ([lambda: nn.Threshold(0.1, 20)], ANY),
    nn.Softmin: ([nn.Softmin, lambda: nn.Softmin(0)], ANY[1:]),
    nn.AlphaDropout: ([lambda: nn.AlphaDropout(0.3), lambda: nn.AlphaDropout(0.0)], ANY),
    nn.PReLU: ([nn.PReLU, lambda: nn.PReLU(3)], [(1, 3), (0, 3), (4, 3), (2, 3, 4), (2, 3, 2, 2)]),
    nn.GLU: ([nn.GLU, lambda: nn.GLU(0)], [(4,), (0, 4), (2, 4), (4, 3, 2), (200, 258)]),
    nn.Sequential: (
        [
            nn.Sequential,
            lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)),
            lambda: nn.Sequential(
                nn.LayerNorm(3), nn.Linear(3, 8), nn.GELU(), nn.Dropout(0.4), nn.Linear(8, 3)
            ),
            lambda: nn.Sequential(
                nn.Linear(3, 6),
                nn.Unflatten(-1, (2, 3)),
                nn.RMSNorm(3),
                nn.Sequential(nn.SiLU(), nn.Identity(), nn.Dropout(0.2)),
                nn.Flatten(-2),
                nn.LogSoftmax(),
            ),
            lambda: nn.Sequential(*[layer for _ in range(8) for layer in (nn.Linear(3, 3), nn.ReLU())]),
        ],
        ROWS,
    ),
}

REDUCTIONS = ("mean", "sum", "none")
WEIGHT = np.array([0.5, 1.0, 2.0])


def likelihoods(rng, x):
    return rng.random(x.shape)


def classes(rng, x):
    return rng.integers(
        0, x.shape[1 if x.ndim > 1 else 0], (*x.shape[:1], *x.shape[2:]) if x.ndim > 1 else ()
    )


def ignoring(rng, x):
    target = classes(rng, x)
    return np.where(rng.random(target.shape) < 0.3, -100, target)


def distribution(rng, x):
    t = rng.random(x.shape)
    return t / t.sum(axis=1 if x.ndim > 1 else 0, keepdims=True)


CLASSES = [(3,), (1, 3), (0, 3), (4, 3), (2, 3, 5), (500, 3)]

# loss → (a way to make it for a reduction, its target), shapes, reductions
LOSSES = {
    nn.MSELoss: ([(lambda how: nn.MSELoss(how), likelihoods)], ANY, REDUCTIONS),
    nn.L1Loss: ([(lambda how: nn.L1Loss(how), likelihoods)], ANY, REDUCTIONS),
    nn.HuberLoss: ([(lambda how: nn.HuberLoss(how, 0.7), likelihoods)], ANY, REDUCTIONS),
    nn.SmoothL1Loss: ([(lambda how: nn.SmoothL1Loss(how, 0.7), likelihoods)], ANY, REDUCTIONS),
    nn.BCEWithLogitsLoss: (
        [
            (lambda how: nn.BCEWithLogitsLoss(reduction=how), likelihoods),
            (lambda how: nn.BCEWithLogitsLoss(WEIGHT, how, WEIGHT), likelihoods),
        ],
        ROWS,
        REDUCTIONS,
    ),
    nn.BCELoss: (
        [
            (lambda how: nn.BCELoss(reduction=how), likelihoods),
            (lambda how: nn.BCELoss(WEIGHT, how), likelihoods),
        ],
        ROWS,
        REDUCTIONS,
    ),
    nn.KLDivLoss: (
        [
            (lambda how: nn.KLDivLoss(how), likelihoods),
            (lambda how: nn.KLDivLoss(how, log_target=True), likelihoods),
        ],
        ROWS,
        (*REDUCTIONS, "batchmean"),
    ),
    nn.NLLLoss: (
        [
            (lambda how: nn.NLLLoss(reduction=how), classes),
            (lambda how: nn.NLLLoss(WEIGHT, reduction=how), ignoring),
        ],
        CLASSES,
        REDUCTIONS,
    ),
    nn.CrossEntropyLoss: (
        [
            (lambda how: nn.CrossEntropyLoss(reduction=how), classes),
            (lambda how: nn.CrossEntropyLoss(WEIGHT, reduction=how, label_smoothing=0.1), ignoring),
            (lambda how: nn.CrossEntropyLoss(reduction=how), distribution),
            (lambda how: nn.CrossEntropyLoss(WEIGHT, reduction=how, label_smoothing=0.1), distribution),
        ],
        CLASSES,
        REDUCTIONS,
    ),
}


def values(rng, shape, dtype, special):
    """Random numbers, and with `special` what may come out of a training gone wrong."""
    x = rng.normal(size=shape).astype(dtype) * 3
    if special and x.size:
        x = np.array(x)
        places = x.reshape(-1)
        for value in (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e4, -1e4):
            places[rng.integers(x.size)] = value
    return x


def modules():
    return [x for x in map(nn.__dict__.get, nn.__all__) if isinstance(x, type) and issubclass(x, nn.Module)]


TABLES = (LAYERS, LOSSES, BY_TAPE_ONLY, TWO_INPUTS, RECURRENT, WITHOUT_FORWARD)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_every_module_is_here(module):
    assert sum(module in table for table in TABLES) == 1


@pytest.mark.parametrize("module", WITHOUT_FORWARD)
def test_what_computes_nothing_has_nothing_to_compare(module):
    with pytest.raises(NotImplementedError):
        module()(Tensor([1.0]))


@pytest.mark.parametrize("module", BY_TAPE_ONLY)
def test_where_several_inputs_learn_there_is_no_way_back_by_hand(module):
    with pytest.raises(MissingWheelError, match=f"{module.__name__}.*no way back by hand"):
        module().backward()


@pytest.mark.parametrize("module", TWO_INPUTS)
def test_where_two_inputs_learn_there_is_no_way_back_by_hand(module):
    with pytest.raises(MissingWheelError, match=f"{module.__name__}.*no way back by hand"):
        TWO_INPUTS[module]().backward(Tensor([1.0]))


@pytest.mark.parametrize("module", RECURRENT)
def test_where_a_state_goes_on_there_is_no_way_back_by_hand(module):
    with pytest.raises(MissingWheelError, match=f"{module.__name__}.*no way back by hand"):
        module(2, 3).backward(Tensor([1.0]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_layers(kind, dtype):
    makers, shapes = LAYERS[kind]
    for number, make in enumerate(makers):
        for shape in shapes:
            for special in (False, True):
                rng = np.random.default_rng(number)
                layer = make().to(dtype)
                for p in layer.parameters():
                    p.write(rng.normal(size=p.shape))
                with np.errstate(all="ignore"):
                    x = values(rng, shape, dtype, special)
                    g = values(rng, layer(Tensor(x)).shape, dtype, special)
                    # Twice: the second gradient is added to the first.
                    by_hand = [*layer_by_hand(layer, x, g), *layer_by_hand(layer, x * 2, g)]
                    by_hand += parameters_of(layer)
                    by_tape = [*layer_by_tape(layer, x, g), *layer_by_tape(layer, x * 2, g)]
                    by_tape += parameters_of(layer)
                same_bits(by_hand, by_tape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [nn.Dropout, nn.Sequential], ids=lambda kind: kind.__name__)
def test_layers_in_eval(kind, dtype):
    for make in LAYERS[kind][0]:
        layer = make().to(dtype).eval()
        rng = np.random.default_rng(0)
        x = values(rng, (4, 3), dtype, False)
        g = values(rng, layer(Tensor(x)).shape, dtype, False)
        by_hand = [*layer_by_hand(layer, x, g), *parameters_of(layer)]
        same_bits(by_hand, [*layer_by_tape(layer, x, g), *parameters_of(layer)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", LOSSES, ids=lambda kind: kind.__name__)
def test_losses(kind, dtype):
    makers, shapes, reductions = LOSSES[kind]
    for make, target_of in makers:
        for shape in shapes:
            for how in reductions:
                rng = np.random.default_rng(len(shape))
                loss_fn = make(how).to(dtype)
                x = (
                    rng.random(shape).astype(dtype)
                    if kind is nn.BCELoss
                    else values(rng, shape, dtype, False)
                )
                t = target_of(rng, np.asarray(x))
                t = Tensor(t if t.dtype.kind == "i" else t.astype(dtype))
                by_hand, by_tape = Tensor(x), Tensor(x, requires_grad=True)
                with tt_autograd.no_grad():
                    loss = loss_fn(by_hand, t)
                    g = None if how != "none" else Tensor(values(rng, loss.shape, dtype, False))
                    dx = loss_fn.backward(g)
                taped = loss_fn(by_tape, t)
                taped.backward(g)
                same_bits([loss, dx], [taped, by_tape.grad])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 7, 64])
def test_a_training(dtype, rows):
    """Loss, gradients and weights, at each of many steps."""
    rng = np.random.default_rng(rows)
    x, t = Tensor(rng.normal(size=(rows, 6)), dtype), Tensor(rng.integers(0, 3, rows))
    histories = []
    for taped in (False, True):
        tt_tensor.manual_seed(1)
        model = nn.Sequential(
            nn.Linear(6, 16),
            nn.LayerNorm(16),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(16, 8),
            nn.Tanh(),
            nn.Linear(8, 3),
        ).to(dtype)
        loss_fn, optimizer = nn.CrossEntropyLoss(), tt_optim.AdamW(model.parameters(), lr=0.01)
        history = []
        for _ in range(30):
            optimizer.zero_grad()
            if taped:
                loss = loss_fn(model(x), t)
                loss.backward()
            else:
                with tt_autograd.no_grad():
                    loss = loss_fn(model(x), t)
                    model.backward(loss_fn.backward())
            history += [loss.detach(), *[p.grad.clone() for p in model.parameters()]]
            optimizer.step()
            history += [p.detach().clone() for p in model.parameters()]
        histories.append(history)
    same_bits(*histories)
