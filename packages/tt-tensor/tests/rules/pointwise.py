from tt_tensor.ops import pointwise
from tt_tensor.testing import unary_cases

CASES = {
    pointwise.Exp: unary_cases(pointwise.Exp),
    pointwise.Tanh: unary_cases(pointwise.Tanh),
}
