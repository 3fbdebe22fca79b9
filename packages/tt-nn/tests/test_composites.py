"""A composite has the gradient that the rule has: it stands for the rule above first order.

Each composite runs under a tape of a few lines; what that sends back is held against the rule, at kinks and far
out, too.
"""

import numpy as np
import pytest

import tt_nn
from tt_nn import activations, hard, normalization, shrinking, smooth, softplus
from tt_nn.linear import LinearFunction
from tt_tensor import from_numpy, recorder
from tt_tensor.testing import functions_of, sample


class Tape:
    """Every application in order; `pull` goes through them in reverse."""

    def __init__(self):
        self.applied = []

    def record(self, function, inputs, output):
        self.applied.append((function, inputs, output))
        return True

    def before_write(self, target):
        return True

    def pull(self, output, grad):
        grads = {id(output): grad}
        for function, inputs, made in reversed(self.applied):
            if id(made) in grads:
                for x, g in zip(inputs, function.gradients(grads[id(made)]), strict=True):
                    if g is not None:
                        grads[id(x)] = grads[id(x)] + g if id(x) in grads else g
        return grads


POINTS = np.array([-40.0, -6.0, -3.0, -1.0, -1e-3, 0.0, -0.0, 1e-3, 1.0, 3.0, 5.0, 6.0, 8.0, 40.0])
CASES = [
    (activations.ReLUFunction, (), POINTS),
    (activations.LeakyReLUFunction, (0.2,), POINTS),
    (activations.LeakyReLUFunction, (-2.0,), POINTS),
    (activations.ELUFunction, (), POINTS),
    (activations.ELUFunction, (-0.5,), POINTS),
    (activations.ELUFunction, (1.7, 1.1, 0.6), POINTS),
    (hard.HardtanhFunction, (-3.0, 6.0), POINTS),
    (hard.ReLU6Function, (), POINTS),
    (hard.HardsigmoidFunction, (), POINTS),
    (hard.HardswishFunction, (), POINTS),
    (smooth.GELUFunction, (), POINTS),
    (smooth.GELUTanhFunction, (), POINTS),
    (smooth.SiLUFunction, (), POINTS),
    (smooth.MishFunction, (), POINTS),
    (softplus.SoftplusFunction, (), POINTS),
    (softplus.SoftplusFunction, (-2.0, 1.0), POINTS),
    (softplus.LogSigmoidFunction, (), POINTS),
    (shrinking.SoftsignFunction, (), POINTS),
    (shrinking.TanhshrinkFunction, (), POINTS),
    (shrinking.HardshrinkFunction, (1.0,), POINTS),
    (shrinking.SoftshrinkFunction, (1.0,), POINTS),
    (shrinking.ThresholdFunction, (1.0, -2.0), POINTS),
    (normalization.LayerNormFunction, ((4,), 1e-5), sample((3, 4)), sample((4,), 1), sample((4,), 2)),
    (normalization.LayerNormFunction, ((3, 4), 1e-5), sample((2, 3, 4))),
    (normalization.LayerNormFunction, ((4,), 1e-5), sample((2, 3, 4)), None, sample((4,), 2)),
    (normalization.RMSNormFunction, ((4,), 1e-5), sample((3, 4)), sample((4,), 1)),
    (normalization.RMSNormFunction, ((3, 4), 1e-5), sample((3, 4))),
    (LinearFunction, (), sample((3, 4)), sample((2, 4), 1), sample((2,), 2)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}{case[1]}")
def test_composites_have_the_gradients_of_the_rules(case):
    make, settings, *arrays = case
    tensors = [None if array is None else from_numpy(array.copy()) for array in arrays]
    function = make(*settings)
    output = function(*tensors)
    grad = np.random.default_rng(0).normal(size=output.shape)
    wanted = function.gradients(grad)
    tape = Tape()
    before = recorder.install(tape)
    try:
        composed = make(*settings).composite(*tensors)
    finally:
        recorder.install(before)
    found = tape.pull(composed, grad)
    np.testing.assert_allclose(composed.numpy(), output.numpy(), rtol=1e-12, atol=1e-14)
    for tensor, g in zip(tensors, wanted, strict=True):
        if tensor is not None:
            np.testing.assert_allclose(found[id(tensor)], g, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case[2] is POINTS], ids=lambda case: f"{case[0].__name__}{case[1]}"
)
def test_composites_have_the_gradients_of_the_rules_at_infinity_and_nan(case):
    # A NaN that a second derivative was taken through must not come back as a healthy gradient, nor a limit as NaN.
    make, settings, _ = case
    x = from_numpy(np.array([np.inf, -np.inf, np.nan, 1e30, -1e30, 2.0], np.float32))
    grad = np.arange(1, 7, dtype=np.float32)
    with np.errstate(all="ignore"):
        function = make(*settings)
        output, (wanted,) = function(x), function.gradients(grad)
        tape = Tape()
        before = recorder.install(tape)
        try:
            composed = make(*settings).composite(x)
        finally:
            recorder.install(before)
        found = tape.pull(composed, grad)[id(x)]
    np.testing.assert_allclose(composed.numpy(), output.numpy(), rtol=1e-6)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_every_composite_of_a_layer_is_here():
    modules = {
        "tt_nn.activations",
        "tt_nn.hard",
        "tt_nn.shrinking",
        "tt_nn.smooth",
        "tt_nn.softplus",
        "tt_nn.normalization",
        "tt_nn.linear",
    }
    composed = {f for f in functions_of(tt_nn) if f.composite is not None and f.__module__ in modules}
    assert composed == {case[0] for case in CASES}
