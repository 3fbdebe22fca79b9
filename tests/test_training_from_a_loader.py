"""The Trainer of tt-optim on the DataLoader of tt-data: stopped at any step, resumed, and the same bits at the end."""

import multiprocessing
from functools import partial

import numpy as np
import pytest

import tt_nn
import tt_optim
import tt_tensor
from tt_data import DataLoader, RandomSampler, ShardedSampler, TensorDataset
from tt_optim.training import Callback, Trainer

rng = np.random.default_rng(0)
x = rng.normal(size=(37, 4)).astype(np.float32)
y = rng.integers(0, 3, 37)
WORKERS = [0, 2] if "fork" in multiprocessing.get_all_start_methods() else [0]


class Stop(Callback):
    def __init__(self, at):
        self.at = at

    def on_step_end(self, trainer):
        if trainer.step == self.at:
            raise RuntimeError("the lights go out")


LOADERS = {
    "the default generator": lambda n: {"shuffle": True},
    "its own generator": lambda n: {"shuffle": True, "generator": tt_tensor.Generator(5)},
    "a sampler's generator": lambda n: {"sampler": RandomSampler(range(n), generator=tt_tensor.Generator(6))},
    "shards": lambda n: {"sampler": ShardedSampler(range(n), 2, 1)},
}


def run(folder, arguments, workers, *callbacks):
    tt_tensor.manual_seed(3)
    model = tt_nn.Sequential(tt_nn.Linear(4, 8), tt_nn.ReLU(), tt_nn.Dropout(0.3), tt_nn.Linear(8, 3))
    optimizer = tt_optim.AdamW(model.parameters(), lr=1e-2)
    context = {"multiprocessing_context": "fork", "num_workers": workers} if workers else {}
    dataset = TensorDataset(x, y).with_transform(partial(tt_tensor.normal, std=0.1))  # noise on the inputs
    train = DataLoader(dataset, 5, **arguments(len(x)), **context)
    val = DataLoader(TensorDataset(x, y), 16)
    trainer = Trainer(
        model,
        tt_nn.CrossEntropyLoss(),
        optimizer,
        callbacks=callbacks,
        checkpoints=folder,
        checkpoint_every=1,
        progress=False,
        seed=3,
    )
    history = trainer.fit(train, val, epochs=3, resume=True)
    assert multiprocessing.active_children() == []
    return [p.numpy().tobytes() for p in model.parameters()], history["val_loss"]


@pytest.mark.parametrize("name", LOADERS)
def test_a_run_that_was_stopped_ends_as_the_whole_one(tmp_path, name):
    whole = run(tmp_path / "whole", LOADERS[name], 0)
    steps = -(-19 // 5) if name == "shards" else 8
    for at, workers in zip((1, steps, steps + 3), (WORKERS[-1], 0, WORKERS[-1]), strict=True):
        folder = tmp_path / f"{at}"
        with pytest.raises(RuntimeError, match="lights"):
            run(folder, LOADERS[name], workers, Stop(at))
        assert run(folder, LOADERS[name], WORKERS[-1] - workers) == whole
