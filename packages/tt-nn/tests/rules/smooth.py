from tt_nn import smooth
from tt_tensor.testing import unary_cases

CASES = {
    function: unary_cases(function, -4.0, 4.0)
    for function in (
        smooth.GELUFunction,
        smooth.GELUTanhFunction,
        smooth.LogSigmoidFunction,
        smooth.MishFunction,
        smooth.SiLUFunction,
    )
} | {
    smooth.SoftplusFunction: unary_cases(smooth.SoftplusFunction, -4.0, 4.0)
    + unary_cases(lambda: smooth.SoftplusFunction(2.0, 3.0), -4.0, 4.0)
    + unary_cases(lambda: smooth.SoftplusFunction(-0.5), -4.0, 4.0),
}
