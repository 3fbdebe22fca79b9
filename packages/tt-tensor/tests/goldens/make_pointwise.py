"""Write pointwise.npz: what PyTorch gives for arithmetic, pointwise functions and choices, value and gradients.

Run with an interpreter that has PyTorch (made with 2.13.0): python make_pointwise.py
tests/ops/test_goldens_of_pointwise.py has the same names on our side; for the rest, see make_reductions.py.
"""

import numpy as np
import torch
from make_reductions import INF, record

NAN = float("nan")
rng = np.random.default_rng(1969)


def grid(*axes):
    """Every combination, in arrays of one shape: no gradient is summed, so none hides another."""
    return np.meshgrid(*axes, indexing="ij")


EDGE = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.7, -3.7, 20.0, -20.0, 1e4, -1e4, 1e-20, -1e-20]
EDGE += [INF, -INF]
bases, exponents = grid(
    [-2.0, -1.0, -0.5, 0.0, -0.0, 0.5, 1.0, 3.0, 1e4, INF, -INF, NAN], [0, 1, 2, 3, -1, -2, 0.5, -0.5]
)
left, right = grid(
    [0.0, -0.0, 1.0, -1.0, 2.5, 1e4, -1e4, INF, -INF, NAN], [0.0, 1.0, -1.0, 2.5, 1e4, INF, -INF, NAN]
)
dividends, divisors = grid([-7.5, -6.0, -0.3, 0.0, 0.3, 6.0, 7.5, 1e4], [3.0, -3.0, 0.7, -0.7, 1e4])
values, lows, highs = grid(
    [-2.0, -1.0, -0.5, -0.0, 1.0, 3.0, INF, -INF, NAN], [-1.0, 0.0, 1.0], [-1.5, 0.0, 1.0]
)

INPUTS = {
    "x": rng.normal(size=(3, 4)),
    "y": rng.normal(size=(4,)),
    "column": rng.normal(size=(3, 1)),
    "number": np.array(0.75),
    "small": rng.uniform(0.05, 0.95, (2, 5)),
    "edge": np.array([*EDGE, 0.01, 2.0, 3.9, NAN]),
    "finite": np.array(EDGE),
    "roots": np.array([0.0, 1.0, 4.0, 1e4, INF, -2.0, NAN]),
    "bases": bases, "exponents": exponents, "left": left, "right": right, "dividends": dividends, "divisors": divisors,
    "values": values, "lows": lows, "highs": highs,
}  # fmt: skip

UNARY = {
    name: getattr(torch, name)
    for name in (
        *(
            "abs",
            "sign",
            "neg",
            "square",
            "reciprocal",
            "sqrt",
            "rsqrt",
            "exp",
            "expm1",
            "log",
            "log2",
            "log10",
        ),
        *("log1p", "sin", "cos", "tanh", "sigmoid", "erf", "floor", "ceil", "trunc", "round"),
    )
}
BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}

CALLS = {f"{name} small": call for name, call in UNARY.items()}
# The sign of NaN is NaN in NumPy, 0 in PyTorch.
CALLS |= {f"{name} {'finite' if name in ('sign', 'abs') else 'edge'}": call for name, call in UNARY.items()}
CALLS |= {f"{name} {on}": call for name, call in BINARY.items() for on in ("x y", "column y", "left right")}
CALLS |= {f"pow bases to {p}": (lambda x, p=p: x**p) for p in (0, 1, 2, -1)}
CALLS |= {f"pow roots to {p}": (lambda x, p=p: x**p) for p in (0.5, -0.5, 1.5)}
CALLS |= {f"pow {base} to exponents": (lambda p, base=base: base**p) for base in (2, 0.5, 0.0, -1.5)}
CALLS |= {
    "pow bases exponents": torch.pow,
    "pow small number": torch.pow,
    "remainder dividends divisors": torch.remainder,
    "remainder dividends by 0.7": lambda x: x % 0.7,
    "remainder 5.5 by divisors": lambda y: torch.remainder(torch.full_like(y, 5.5), y),
    "floor_divide dividends divisors": lambda x, y: torch.div(x, y, rounding_mode="floor"),
    "round x to decimals": lambda x: torch.round(x, decimals=2),
    "add x y alpha": lambda x, y: torch.add(x, y, alpha=2.5),
    "maximum x zero": lambda x: torch.maximum(x, torch.zeros((), dtype=x.dtype)),
    "where x y by row": lambda x, y: torch.where(torch.tensor([[True], [False], [True]]), x, y),
    "where left right": lambda x, y: torch.where(x > y, x, y),
    "where x 0.25": lambda x: torch.where(x > 0, x, 0.25),
    "clip values lows highs": torch.clamp,
    "clip values lows": lambda x, low: torch.clamp(x, min=low),
    "clip values highs": lambda x, high: torch.clamp(x, max=high),
    "clip values in -1 1": lambda x: torch.clamp(x, -1.0, 1.0),
    "clip values from -0.5": lambda x: torch.clamp(x, min=-0.5),
    "clip values to 1": lambda x: torch.clamp(x, max=1.0),
    "clip x y": lambda x, y: torch.clamp(x, min=y),
    "masked_fill x": lambda x: x.masked_fill(x > 0.3, -INF),
    "relu x": torch.relu,
    "relu edge": torch.relu,
}

if __name__ == "__main__":
    record("pointwise.npz", INPUTS, CALLS)
