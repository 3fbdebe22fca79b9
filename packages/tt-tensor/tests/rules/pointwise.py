import numpy as np

from tt_tensor.ops import pointwise
from tt_tensor.testing import Case, sample, unary_cases


def both_signs(make, low=0.2, high=2.0):
    """Cases on both sides of a point at 0 where the function is not smooth, or not defined."""
    cases = unary_cases(make, low, high)
    return cases + [Case(f"-{case.name}", make, (np.asarray(-case.inputs[0]),)) for case in cases[:10]]


def between_integers(make, scale=1.0):
    """Cases at least 0.1 from where a rounding function jumps (which is at multiples of one half)."""
    return [
        Case(case.name, make, (np.asarray((np.rint(4 * case.inputs[0]) / 2 + 0.25) * scale),))
        for case in unary_cases(make)
    ]


CASES = {
    pointwise.Abs: both_signs(pointwise.Abs),
    pointwise.Sign: both_signs(pointwise.Sign),
    pointwise.Reciprocal: both_signs(pointwise.Reciprocal, 0.4),
    pointwise.Square: unary_cases(pointwise.Square),
    pointwise.Sqrt: unary_cases(pointwise.Sqrt, 0.2, 3.0),
    pointwise.Rsqrt: unary_cases(pointwise.Rsqrt, 0.3, 3.0),
    pointwise.Exp: unary_cases(pointwise.Exp),
    pointwise.Expm1: unary_cases(pointwise.Expm1),
    pointwise.Log: unary_cases(pointwise.Log, 0.2, 3.0),
    pointwise.Log2: unary_cases(pointwise.Log2, 0.2, 3.0),
    pointwise.Log10: unary_cases(pointwise.Log10, 0.2, 3.0),
    pointwise.Log1p: unary_cases(pointwise.Log1p, -0.7, 2.0),
    pointwise.Sin: unary_cases(pointwise.Sin, -4.0, 4.0),
    pointwise.Cos: unary_cases(pointwise.Cos, -4.0, 4.0),
    pointwise.Tanh: unary_cases(pointwise.Tanh, -4.0, 4.0),
    pointwise.Sigmoid: unary_cases(pointwise.Sigmoid, -8.0, 8.0),
    pointwise.Erf: [
        *unary_cases(pointwise.Erf, -4.0, 4.0),
        Case("far", pointwise.Erf, (np.array([-1e4, -35.0, -7.0, 6.0, 29.0, 1e30]),)),
    ],
    pointwise.Floor: between_integers(pointwise.Floor),
    pointwise.Ceil: between_integers(pointwise.Ceil),
    pointwise.Trunc: between_integers(pointwise.Trunc),
    pointwise.Round: between_integers(pointwise.Round)
    + [
        Case(f"{decimals} decimals {shape}", lambda d=decimals: pointwise.Round(d), (sample(shape) * 10,))
        for decimals in (1, -1)
        for shape in ((3,), (2, 3))
    ],
}
