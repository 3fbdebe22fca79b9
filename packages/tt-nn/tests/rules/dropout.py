import numpy as np

from tt_nn.dropout import DropoutFunction
from tt_tensor.testing import Case, sample, unary_cases


def mask_for(x):
    return (np.random.default_rng(0).uniform(size=x.shape) > 0.3).astype(np.float32) / 0.7


CASES = {
    DropoutFunction: [
        Case(case.name, DropoutFunction, (case.inputs[0], mask_for(case.inputs[0])))
        for case in unary_cases(DropoutFunction)
    ]
    + [Case("mask of nothing", DropoutFunction, (sample((3, 4)), np.zeros((3, 4), np.float32)))]
}
