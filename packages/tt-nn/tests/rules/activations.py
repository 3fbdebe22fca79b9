from tt_nn import activations
from tt_tensor.testing import Case, sample, unary_cases

LARGE = sample((9, 2048))[:, ::700]  # few elements, yet not in one row of memory

CASES = {
    activations.ReLUFunction: unary_cases(activations.ReLUFunction),
    activations.LeakyReLUFunction: unary_cases(activations.LeakyReLUFunction)
    + unary_cases(lambda: activations.LeakyReLUFunction(-0.5))
    + [Case("slope 0", lambda: activations.LeakyReLUFunction(0.0), (LARGE,))],
    activations.ELUFunction: unary_cases(activations.ELUFunction)
    + unary_cases(lambda: activations.ELUFunction(0.3))
    + unary_cases(lambda: activations.ELUFunction(1.7, 1.1, 0.6)),
}
