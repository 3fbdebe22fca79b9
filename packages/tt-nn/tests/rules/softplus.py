from tt_nn import softplus
from tt_tensor.testing import unary_cases

CASES = {
    softplus.SoftplusFunction: unary_cases(softplus.SoftplusFunction, -4.0, 4.0)
    + unary_cases(lambda: softplus.SoftplusFunction(2.0, 3.0), -4.0, 4.0)
    + unary_cases(lambda: softplus.SoftplusFunction(-0.5), -4.0, 4.0),
    softplus.LogSigmoidFunction: unary_cases(softplus.LogSigmoidFunction, -4.0, 4.0),
}
