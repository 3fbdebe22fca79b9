from tt_nn import smooth
from tt_tensor.testing import unary_cases

CASES = {
    function: unary_cases(function, -4.0, 4.0)
    for function in (
        smooth.GELUFunction,
        smooth.GELUTanhFunction,
        smooth.MishFunction,
        smooth.SiLUFunction,
    )
}
