"""How a Tensor looks."""
from __future__ import annotations
import numpy as np


def represent(t) -> str:
    return f"Tensor({np.array2string(t.array, separator=', ')})"
