"""First and second derivatives of every loss, through its composite or its rule on Tensors: the first equal its
rule, the second the central differences of its rule."""

import copy
import math

import numpy as np
import pytest

from tt_nn.losses.binary import BCEFunction, BCEWithLogitsFunction
from tt_nn.losses.categorical import CrossEntropyFunction, NLLFunction
from tt_nn.losses.divergence import KLDivFunction
from tt_nn.losses.regression import HuberFunction, MSEFunction
from tt_nn.losses.soft import SoftCrossEntropyFunction
from tt_tensor import Tensor, recorder
from tt_tensor.testing import sample


class Tape:
    """Notes every application; goes back in reverse order, the rules running on Tensors under this same tape."""

    def __init__(self):
        self.steps = []

    def record(self, function, inputs, output):
        self.steps.append((function, inputs, output))
        return True

    def before_write(self, target):
        return True

    def gradient(self, run, x, grad):
        """The gradient at x of the output of `run(x)`, itself an output that has a gradient."""
        start = len(self.steps)
        output = run(x)
        found = {id(output): grad}
        for function, inputs, made in reversed(self.steps[start:]):
            if id(made) not in found:
                continue
            again = copy.copy(function)
            again.inputs = inputs
            again.forward(*inputs)
            for given, g in zip(inputs, again.gradients(found.pop(id(made))), strict=True):
                if g is not None:
                    found[id(given)] = found[id(given)] + g if id(given) in found else g
        return found.get(id(x), np.zeros(x.shape))


@pytest.fixture
def tape():
    tape = Tape()
    before = recorder.install(tape)
    yield tape
    recorder.install(before)


INDEX = np.array([0, 2, -100, 1])
SOFT = np.random.default_rng(0).dirichlet(np.ones(3), 4)
WEIGHT = np.array([0.5, 0.0, 2.0])
MASKED = sample((4, 3), 1)
MASKED[0, 1] = MASKED[3, 2] = -math.inf
CASES = [
    (MSEFunction, (), sample((4, 3)), sample((4, 3), 1)),
    (HuberFunction, (0.7,), sample((4, 3)), sample((4, 3), 1)),
    (BCEFunction, (), sample((4, 3), 0, 0.1, 0.9), SOFT),
    (BCEWithLogitsFunction, (), sample((4, 3), 0, -4, 4), SOFT),
    (BCEWithLogitsFunction, (), np.zeros((4, 3)), SOFT),
    (BCEWithLogitsFunction, (), np.array([40.0, -40.0, 0.0]), np.array([1.0, 1.0, 0.5])),
    (KLDivFunction, (False, "batchmean"), sample((4, 3)), SOFT),
    (KLDivFunction, (True,), sample((4, 3)), np.log(SOFT)),
    (NLLFunction, (-100, "mean", WEIGHT), sample((4, 3)), INDEX),
    (CrossEntropyFunction, (), sample((4, 3)), INDEX),
    (CrossEntropyFunction, (-100, 0.2, "mean", WEIGHT), sample((4, 3)), INDEX),
    (CrossEntropyFunction, (-100, 0.0, "sum", WEIGHT), sample((2, 3, 2)), np.array([[0, 2], [2, -100]])),
    (CrossEntropyFunction, (), MASKED, INDEX),
    (SoftCrossEntropyFunction, (), sample((4, 3)), SOFT),
    (SoftCrossEntropyFunction, (0.2, "sum", WEIGHT), sample((4, 3)), SOFT),
    (SoftCrossEntropyFunction, (), MASKED, np.where(-math.inf == MASKED, 0, SOFT)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}{case[1][:-1]} {case[2].shape}")
def test_first_and_second_derivatives(tape, case):
    make, settings, x, t = case

    def slope(x):
        function = make(*settings)
        function(Tensor(x), Tensor(t))
        return function.gradients(np.ones(()))[0]

    def run(x):
        function = make(*settings)
        return function(x, Tensor(t)) if function.composite is None else function.composite(x, Tensor(t))

    start = Tensor(x)
    one = Tensor(1.0, np.float64)
    first = tape.gradient(run, start, one)
    np.testing.assert_allclose(first, slope(x), rtol=1e-9, atol=1e-13)
    direction = np.where(np.isfinite(x), np.random.default_rng(1).normal(size=x.shape), 0)
    eps = 1e-6
    wanted = (slope(x + eps * direction) - slope(x - eps * direction)) / (2 * eps)
    second = tape.gradient(
        lambda x: np.add.reduce(tape.gradient(run, x, one) * direction, axis=None), start, one
    )
    np.testing.assert_allclose(second, wanted, rtol=1e-5, atol=1e-8)
