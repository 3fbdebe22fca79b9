"""A state dict that PyTorch saved loads by name and gives PyTorch's output."""

from pathlib import Path

import numpy as np
import pytest

from tt_nn import (
    GELU,
    Dropout,
    Flatten,
    LayerNorm,
    Linear,
    RMSNorm,
    Sequential,
    SiLU,
    StateDictError,
    load,
    save,
)

FILE = Path(__file__).parent / "goldens" / "network.safetensors"  # made by make_network.py


def network():
    return Sequential(
        Flatten(),
        Linear(12, 16),
        GELU(),
        LayerNorm(16),
        Sequential(Linear(16, 8), SiLU(), Dropout(0.5)),
        RMSNorm(8),
        Linear(8, 3, bias=False),
    ).eval()


def test_the_same_output():
    state = load(FILE)
    x, y = state.pop("example.x"), state.pop("example.y")
    model = network()
    assert sorted(state) == sorted(model.state_dict())
    model.load_state_dict(state)
    np.testing.assert_allclose(model(x).numpy(), y.numpy(), rtol=1e-5, atol=1e-6)


def test_what_does_not_belong_is_named():
    with pytest.raises(StateDictError, match=r"unexpected: example\.x, example\.y"):
        network().load_state_dict(load(FILE))


def test_layouts_are_pytorchs_so_our_file_has_the_same_tensors(tmp_path):
    state = load(FILE)
    model = network()
    model.load_state_dict(state, strict=False)
    save(model, tmp_path / "ours.safetensors")
    for name, tensor in load(tmp_path / "ours.safetensors").items():
        assert tensor.array.tobytes() == state[name].array.tobytes()
        assert tensor.shape == state[name].shape
