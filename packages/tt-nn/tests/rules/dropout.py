import numpy as np

from tt_nn.dropout import DropoutFunction
from tt_tensor.testing import Case, sample, unary_cases


def mask_for(x):
    return np.random.default_rng(0).uniform(size=x.shape) > 0.3


CASES = {
    DropoutFunction: [
        Case(case.name, lambda: DropoutFunction(1 / 0.7), (case.inputs[0], mask_for(case.inputs[0])))
        for case in unary_cases(DropoutFunction)
    ]
    + [Case("mask of nothing", lambda: DropoutFunction(0.0), (sample((3, 4)), np.zeros((3, 4), bool)))]
}
