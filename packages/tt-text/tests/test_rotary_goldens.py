"""Rotary positions turn queries as Hugging Face's Llama does, with each scaling.

goldens/rotary.json lists the settings; the file beside it was made by the script there, in float32: there an angle is
off by up to 2⁻²⁴ of itself, so that far out the two differ by that much.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from tt_text import RotaryEmbedding
from tt_text.rotary_scaling import rotary_frequencies

HERE = Path(__file__).parent / "goldens"
SPECS = json.loads((HERE / "rotary.json").read_text())


def draw(shape):
    """As in goldens/make_rotary.py."""
    return np.random.default_rng(0).normal(size=tuple(shape)).astype(np.float32)


def golden(name):
    with np.load(HERE / "rotary.npz", allow_pickle=False) as file:
        return file[name]


@pytest.mark.parametrize("index", range(len(SPECS)))
def test_frequencies(index):
    spec = SPECS[index]
    length = np.max(spec["positions"]) + 1
    found = rotary_frequencies(spec["head_dim"], spec["base"], spec["scaling"], length)
    np.testing.assert_allclose(found, golden(f"{index} frequencies"), rtol=1e-6)


@pytest.mark.parametrize("index", range(len(SPECS)))
def test_queries(index):
    spec = SPECS[index]
    positions = np.array(spec["positions"])
    q = draw((len(positions), 2, positions.shape[1], spec["head_dim"]))
    rotary = RotaryEmbedding(spec["head_dim"], spec["base"], scaling=spec["scaling"])
    wanted = golden(str(index))
    off = np.abs(q).max() * (1e-6 + positions.max() * 2e-7)
    np.testing.assert_allclose(rotary(q, positions), wanted, atol=off)
    # The other layout is the same with the numbers in another order.
    order = np.arange(spec["head_dim"]).reshape(2, -1).T.ravel()
    other = RotaryEmbedding(spec["head_dim"], spec["base"], layout="interleaved", scaling=spec["scaling"])
    np.testing.assert_allclose(other(q[..., order], positions), wanted[..., order], atol=off)
