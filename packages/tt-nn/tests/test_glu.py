"""GLU by its definition; values and gradients of PyTorch's stand in test_goldens.py."""

import numpy as np
import pytest

import tt_nn as nn
import tt_nn.functional as F


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_one_half_opens_a_gate_for_the_other(dim):
    x = np.random.default_rng(0).normal(size=(2, 6))
    a, b = np.split(x, 2, axis=dim)
    np.testing.assert_allclose(F.glu(x, dim).numpy(), a / (1 + np.exp(-b)), rtol=1e-14)
    assert repr(nn.GLU(dim)) == f"GLU(dim={dim})"
