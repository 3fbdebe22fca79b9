"""Without the extra, all that is to be tested is the error that says so."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent

collect_ignore_glob = []
if importlib.util.find_spec("tt_autograd") is None:
    collect_ignore_glob = [path.name for path in HERE.glob("test_*.py") if path.name != "test_entry.py"]


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def classes(rng):
    """Points in four dimensions and their class, one of three: 61 for training, 20 for validation, in batches."""
    from tt_tensor import tensor

    x = rng.normal(size=(81, 4)).astype(np.float32)
    y = (x @ rng.normal(size=(4, 3))).argmax(1)

    def batches(start, stop, size):
        return [
            (tensor(x[at : min(at + size, stop)]), tensor(y[at : min(at + size, stop)]))
            for at in range(start, stop, size)
        ]

    return batches(0, 61, 8), batches(61, 81, 8)


@pytest.fixture
def network():
    """A small network with its own seed."""
    import tt_nn
    from tt_tensor import Generator

    def make(seed=0, dropout=0.0, dtype=np.float32):
        import tt_tensor

        state = tt_tensor.default_generator().get_state()
        tt_tensor.manual_seed(seed)
        model = tt_nn.Sequential(
            tt_nn.Linear(4, 8),
            tt_nn.Tanh(),
            tt_nn.Dropout(dropout, generator=Generator(seed)),
            tt_nn.Linear(8, 3),
        ).to(dtype)
        tt_tensor.default_generator().set_state(state)
        return model

    return make
