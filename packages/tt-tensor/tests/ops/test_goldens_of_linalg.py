"""Values and gradients of matrix products and einsum equal PyTorch's; goldens/make_linalg.py wrote what they are."""

from pathlib import Path

import numpy as np
import pytest

import tt_tensor as tt

GOLDENS = dict(np.load(Path(__file__).parent.parent / "goldens" / "linalg.npz", allow_pickle=False))

# Their last word is the form.
EINSUMS = sorted({key.split("|")[0] for key in GOLDENS if key.startswith("einsum")})

CALLS = {
    **{
        f"matmul {pair}": lambda x, y: x @ y
        for pair in (
            "v3 w3", "v3 m34", "m23 v3", "m23 m34", "b234 b243", "b234 c143", "b234 m43", "m23 b234", "v3 b234",
            "b243 v3", "e03 m34",
        )
    },
    "outer v3 w3": tt.outer,
    "dot v3 w3": tt.dot,
    "trace m33": tt.trace,
    "diagonal b234 1": lambda x: tt.diagonal(x, 1, -2, -1),
    "diagonal m34 -1": lambda x: tt.diagonal(x, -1),
    "tensordot b234 b243 2": lambda x, y: tt.tensordot(x, y, ([2, 0], [1, 0])),
    "tensordot m23 m34 1": lambda x, y: tt.tensordot(x, y, 1),
    **{name: (lambda *x, name=name: tt.einsum(name.split()[-1], *x)) for name in EINSUMS},
}  # fmt: skip


def test_the_names_are_those_of_the_goldens():
    assert len(EINSUMS) == 14
    assert set(CALLS) == {key.split("|")[0] for key in GOLDENS if "|" in key}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [("float32", 1e-5, 2e-6), ("float64", 1e-11, 1e-12)])
def test_equals_pytorch(name, dtype, rtol, atol, equals_pytorch):
    equals_pytorch(GOLDENS, name, CALLS[name], dtype, rtol, atol)
