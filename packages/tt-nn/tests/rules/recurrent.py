import numpy as np

from tt_nn.recurrent.gru import GRUFunction
from tt_nn.recurrent.lstm import LSTMFunction
from tt_nn.recurrent.rnn import RNNFunction
from tt_tensor.testing import Case, sample

# Steps, batch, input size, hidden size.
SIZES = [
    (1, 1, 1, 1), (2, 1, 1, 1), (2, 2, 1, 1), (2, 1, 2, 1), (2, 1, 1, 2), (3, 1, 1, 1), (3, 2, 2, 1), (2, 2, 3, 2),
    (0, 2, 1, 2), (2, 0, 1, 2), (2, 2, 0, 1),
]  # fmt: skip


def given(sizes, gates, states, bias, low=-1.0, high=1.0):
    steps, batch, features, size = sizes
    shapes = [
        (steps, batch, features),
        *[(batch, size)] * states,
        (gates * size, features),
        (gates * size, size),
    ]
    shapes += [(gates * size,)] * 2 if bias else []
    return [sample(shape, 5 * seed + sum(sizes), low, high) for seed, shape in enumerate(shapes)]


def cases(make, gates, states):
    found = [
        Case(f"{sizes}{' bias' if bias else ''}", make, tuple(given(sizes, gates, states, bias)))
        for sizes in SIZES
        for bias in (False, True)
    ]
    x, *rest = given((2, 2, 2, 1), gates, states, True)
    found.append(Case("batch first", make, (sample((2, 2, 2), 3, -1.0, 1.0).swapaxes(0, 1), *rest)))
    found.append(Case("from the end", make, (x[::-1], *rest)))
    found.append(Case("wide open", make, tuple(given((2, 1, 1, 1), gates, states, True, -6.0, 6.0))))
    return found


CASES = {
    RNNFunction: cases(RNNFunction, 1, 1) + cases(lambda: RNNFunction(relu=True), 1, 1),
    LSTMFunction: cases(LSTMFunction, 4, 2)
    + [
        Case(
            f"{sizes} ending at {ends}",
            lambda ends=ends: LSTMFunction(np.array(ends)),
            tuple(given(sizes, 4, 2, True)),
        )
        for sizes, ends in (((2, 2, 1, 1), [1, 0]), ((3, 2, 1, 1), [0, 1]), ((2, 1, 2, 2), [0]))
    ],
    GRUFunction: cases(GRUFunction, 3, 1),
}
