from tt_tensor.ops import arithmetic
from tt_tensor.testing import binary_cases, unary_cases

CASES = {
    arithmetic.Add: binary_cases(arithmetic.Add),
    arithmetic.Sub: binary_cases(arithmetic.Sub),
    arithmetic.Mul: binary_cases(arithmetic.Mul),
    arithmetic.Div: binary_cases(arithmetic.Div, low=0.5, high=3.0),
    arithmetic.Neg: unary_cases(arithmetic.Neg),
}
