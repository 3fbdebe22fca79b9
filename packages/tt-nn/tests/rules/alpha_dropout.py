import numpy as np

from tt_nn.alpha_dropout import AlphaDropoutFunction
from tt_tensor.testing import Case, sample, unary_cases


def mask_for(x):
    return np.random.default_rng(0).uniform(size=x.shape) > 0.3


CASES = {
    AlphaDropoutFunction: [
        Case(case.name, lambda: AlphaDropoutFunction(0.3), (case.inputs[0], mask_for(case.inputs[0])))
        for case in unary_cases(AlphaDropoutFunction)
    ]
    + [Case("nothing left", lambda: AlphaDropoutFunction(1.0), (sample((3, 4)), np.zeros((3, 4), bool)))]
}
