"""Elementwise operations and activations: operations an element, as their formulas are written."""

from __future__ import annotations

from tt_perf.profiling.application import Application
from tt_perf.profiling.formulas.formula import Formula, undone

__all__ = ["FORMULAS"]

# Operations an element: of the formula, and of the rule.
_UNARY = {
    "Neg": (1, 1),
    "Abs": (1, 2),  # sign(x) grad
    "Square": (1, 2),  # 2 x grad
    "Reciprocal": (1, 3),  # -y y grad
    "Sqrt": (1, 2),  # grad / (2 y)
    "Rsqrt": (2, 4),  # -½ y y y grad
    "Exp": (1, 1),
    "Expm1": (1, 2),
    "Log": (1, 1),
    "Log2": (1, 2),
    "Log10": (1, 2),
    "Log1p": (1, 2),
    "Sin": (1, 2),
    "Cos": (1, 3),
    "Tanh": (1, 3),  # grad (1 - y y)
    "Tan": (1, 3),  # grad (1 + y y)
    "Asin": (1, 4),  # grad / √(1 - x x)
    "Acos": (1, 5),
    "Atan": (1, 3),  # grad / (1 + x x)
    "Sinh": (1, 2),
    "Cosh": (1, 2),
    "Asinh": (1, 4),  # grad / √(x x + 1)
    "Acosh": (1, 4),
    "Atanh": (1, 3),  # grad / (1 - x x)
    "Sigmoid": (4, 3),  # 1 / (1 + exp(-x)); grad y (1 - y)
    "Erf": (1, 5),  # grad c exp(-(x x))
    "Sign": (1, 0),
    "Floor": (1, 0),
    "Ceil": (1, 0),
    "Trunc": (1, 0),
    "Round": (1, 0),
    "Clip": (2, 1),
    "Cumprod": (1, 4),  # two products of what comes back, and their running sum
    "Cumsum": (1, 1),
    # tt-nn
    "ReLUFunction": (1, 1),
    "LeakyReLUFunction": (2, 2),  # a comparison and a product
    "ELUFunction": (4, 3),  # comparison, exp, -1, times α
    "ReLU6Function": (2, 1),
    "HardtanhFunction": (2, 1),
    "HardsigmoidFunction": (4, 2),  # x / 6 + ½, cut at both ends
    "HardswishFunction": (5, 4),  # x times that
    "GELUFunction": (5, 7),  # x (½ (1 + erf(x √½))); grad (Φ + x c exp(-½ x x)), Φ being kept
    "GELUTanhFunction": (8, 9),  # x (½ (1 + tanh(x (a x x + b)))); grad s (1 + x (1 - s) (c x x + d))
    "SiLUFunction": (5, 5),  # x σ(x); grad s (1 + x (1 - s))
    "MishFunction": (4, 11),  # x tanh(log1p(exp(x))); grad (t + x σ(x) (1 - t t))
    "SoftplusFunction": (4, 6),  # log1p(exp(β x)) / β; grad σ(β x)
    "GLUFunction": (5, 5),  # a σ(b); grad s a (1 - s), of each element of the result
    "LogSigmoidFunction": (4, 5),  # -log1p(exp(-x)); grad σ(-x)
    "SoftsignFunction": (3, 2),  # x / (1 + |x|); grad / (1 + |x|) / (1 + |x|)
    "TanhshrinkFunction": (2, 2),  # x - tanh(x); grad t t
    "HardshrinkFunction": (2, 1),  # | |, a comparison
    "SoftshrinkFunction": (3, 1),  # | |, a comparison, ± λ
    "ThresholdFunction": (1, 1),
    "AlphaDropoutFunction": (3, 2),  # the mask, times a, + b; times the mask, times a
    "DropoutFunction": (2, 2),  # times the mask, times 1 / (1 - p)
    "ChannelDropoutFunction": (1, 1),
}
# Operations an element of the result: of the formula, of the rule for the first input and for the second.
_BINARY = {
    "Add": (1, 0, 0),
    "Sub": (1, 0, 1),
    "Mul": (1, 1, 1),
    "Div": (1, 1, 3),  # grad / y; -(that) (x / y)
    "Pow": (1, 3, 3),  # grad p pow(x, p - 1), p - 1 and grad p taken together; grad z log(x)
    "FloorDivide": (1, 0, 0),
    "Remainder": (1, 0, 2),
    "PReLUFunction": (2, 2, 2),  # a comparison and a product; a product and a sum for the slope
    "Atan2": (1, 5, 2),  # s = grad / (x x + y y), counted with the first; s x, -s y
    "LogAddExp": (6, 6, 6),  # m + log1p(exp(-|x - y|)); grad σ(x - y), grad σ(y - x)
    "Maximum": (1, 2, 2),
    "Minimum": (1, 2, 2),
}


def _each(there: int, back: int) -> Formula:
    return Formula(lambda a: there * a.n, lambda a: back * a.n if a.wants(0) else 0)


def _pair(there: int, first: int, second: int) -> Formula:
    def backward(a: Application) -> int:
        return a.n * (first * a.wants(0) + second * a.wants(1)) + undone(a)

    return Formula(lambda a: there * a.n, backward)


FORMULAS = {name: _each(*counts) for name, counts in _UNARY.items()}
FORMULAS |= {name: _pair(*counts) for name, counts in _BINARY.items()}
