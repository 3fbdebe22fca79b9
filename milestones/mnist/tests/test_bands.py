"""Where the training stands after some steps: a change of the framework that makes it learn otherwise shows here.

The bands are three to four times as wide as 12 seeds (MNIST: 4) spread around their mean.
"""

from __future__ import annotations

import pytest

from milestone_mnist import cli, images
from milestone_mnist.images import batches
from milestone_mnist.networks import cnn_of, mlp_of
from milestone_mnist.training import Plan, trainer_of
from tt_optim.training import Accuracy
from tt_vision.datasets import MNIST, DatasetError


@pytest.fixture(scope="module")
def real():
    """MNIST, where it is on this machine."""
    try:
        MNIST(train=False, download=False)
    except DatasetError as error:
        pytest.skip(f"MNIST is neither in TT_DATA_HOME nor in the cache: {error}")
    return images.mnist(0)


def after(steps, problem, network, seed=0):
    """Loss and accuracy on the images to choose by after one cycle of `steps` steps."""
    plan = Plan(1, cli.LR[problem.name], cli.BATCH[problem.name], cli.SMOOTHING[problem.name])
    trainer = trainer_of(network.make(seed), plan, steps, metrics=[Accuracy()], seed=seed)
    trainer.fit(batches(problem.train, plan.batch, seed), steps=steps)
    results = trainer.evaluate(batches(problem.choose))
    return results["loss"], results["accuracy"]


@pytest.mark.parametrize(
    ("kind", "loss", "accuracy"), [(mlp_of, (0.80, 1.08), (0.74, 0.95)), (cnn_of, (0.59, 0.74), (0.92, 1.0))]
)
def test_three_epochs_of_the_digits(kind, loss, accuracy, problem):
    found = after(54, problem, kind(problem))
    assert loss[0] < found[0] < loss[1]
    assert accuracy[0] < found[1] <= accuracy[1]


@pytest.mark.parametrize(
    ("kind", "loss", "accuracy"), [(mlp_of, (0.32, 0.42), (0.87, 0.92)), (cnn_of, (0.26, 0.55), (0.83, 0.95))]
)
def test_sixty_steps_of_mnist(kind, loss, accuracy, real):
    found = after(60, real, kind(real))
    assert loss[0] < found[0] < loss[1]
    assert accuracy[0] < found[1] < accuracy[1]
