from tt_nn import hard
from tt_tensor.testing import unary_cases

CASES = {
    hard.HardtanhFunction: unary_cases(lambda: hard.HardtanhFunction(-0.5, 2.0), -3.0, 4.0),
    hard.ReLU6Function: unary_cases(hard.ReLU6Function, -3.0, 9.0),
    hard.HardsigmoidFunction: unary_cases(hard.HardsigmoidFunction, -4.0, 4.0),
    hard.HardswishFunction: unary_cases(hard.HardswishFunction, -4.0, 4.0),
}
