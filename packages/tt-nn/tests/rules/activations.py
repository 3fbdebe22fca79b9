from tt_nn import activations
from tt_tensor.testing import unary_cases

CASES = {
    activations.ReLUFunction: unary_cases(activations.ReLUFunction),
    activations.LeakyReLUFunction: unary_cases(activations.LeakyReLUFunction)
    + unary_cases(lambda: activations.LeakyReLUFunction(-0.5)),
    activations.ELUFunction: unary_cases(activations.ELUFunction)
    + unary_cases(lambda: activations.ELUFunction(0.3)),
    activations.HardswishFunction: unary_cases(activations.HardswishFunction, -4.0, 4.0),
}
