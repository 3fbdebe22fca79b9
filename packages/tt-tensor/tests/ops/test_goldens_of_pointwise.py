"""Arithmetic, pointwise functions and choices equal PyTorch's, also at 0, ±inf, NaN and ties, value and gradient;
goldens/make_pointwise.py wrote what they are."""

from pathlib import Path

import numpy as np
import pytest

import tt_tensor as tt

GOLDENS = dict(np.load(Path(__file__).parent.parent / "goldens" / "pointwise.npz", allow_pickle=False))
NAMES = sorted({key.split("|")[0] for key in GOLDENS if "|" in key})
INF = float("inf")

SPECIAL = {
    "round x to decimals": lambda x: tt.round(x, 2),
    "add x y alpha": lambda x, y: tt.add(x, y, alpha=2.5),
    "maximum x zero": lambda x: tt.maximum(x, 0.0),
    "where x y by row": lambda x, y: tt.where([[True], [False], [True]], x, y),
    "where left right": lambda x, y: tt.where(x > y, x, y),
    "where x 0.25": lambda x: tt.where(x > 0, x, 0.25),
    "clip values highs": lambda x, high: tt.clip(x, max=high),
    "masked_fill x": lambda x: x.masked_fill(x > 0.3, -INF),
}
BOUNDS = {"in": ("min", "max"), "from": ("min",), "to": ("max",)}


def call_of(name):
    """What a golden's name says: `pow bases to 2` is x ** 2, `clip values in -1 1` is clip(x, -1, 1)."""
    if name in SPECIAL:
        return SPECIAL[name]
    op, *words = name.split()
    if op == "pow" and "to" in words:
        at = words.index("to")
        if words[0] in ("bases", "roots"):
            return lambda x: x ** number(words[at + 1])
        return lambda p: number(words[0]) ** p
    if op == "remainder" and words[1] == "by":
        return (lambda x: x % 0.7) if words[0] == "dividends" else (lambda y: 5.5 % y)
    if op == "clip" and words[1] in BOUNDS:
        bounds = dict(zip(BOUNDS[words[1]], map(float, words[2:]), strict=True))
        return lambda x: tt.clip(x, **bounds)
    return getattr(tt, op)


def number(word):
    return float(word) if "." in word else int(word)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [("float64", 1e-12, 1e-13), ("float32", 2e-6, 3e-7)])
def test_equals_pytorch(name, dtype, rtol, atol, equals_pytorch):
    if name.endswith(" small"):  # nothing to warn of
        equals_pytorch(GOLDENS, name, call_of(name), dtype, rtol, atol)
        return
    with np.errstate(all="ignore"):
        equals_pytorch(GOLDENS, name, call_of(name), dtype, rtol, atol)
