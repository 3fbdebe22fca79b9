from tt_nn import smooth
from tt_tensor.testing import unary_cases

CASES = {
    smooth.GELUFunction: unary_cases(smooth.GELUFunction, -4.0, 4.0),
    smooth.GELUTanhFunction: unary_cases(smooth.GELUTanhFunction, -4.0, 4.0),
    smooth.SiLUFunction: unary_cases(smooth.SiLUFunction, -4.0, 4.0),
    smooth.SoftplusFunction: unary_cases(smooth.SoftplusFunction, -4.0, 4.0)
    + unary_cases(lambda: smooth.SoftplusFunction(2.0, 3.0), -4.0, 4.0),
}
