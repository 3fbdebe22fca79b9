"""Where the training stands after 30 steps: a change of the framework that makes it learn otherwise shows here.

The values are those of seed 0 when they were recorded. A machine that rounds otherwise is far inside of the band.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from milestone_tinygpt.corpus import batches, estimate
from milestone_tinygpt.networks import network
from milestone_tinygpt.recipes import NANOGPT
from milestone_tinygpt.training import trainer_of

BAND = 0.05


@pytest.mark.parametrize(
    ("changes", "recorded"),
    [
        ({}, 2.8025),
        ({"optimizer": "muon", "lr": 3e-3}, 2.6070),
        ({"architecture": "llama"}, 2.8072),
    ],
    ids=["default", "muon", "llama"],
)
def test_thirty_steps(changes, recorded, corpus):
    recipe = replace(NANOGPT.shortened(NANOGPT.quick_steps), **{"lr": 1e-3, **changes})
    trainer = trainer_of(recipe, network(recipe, corpus.vocab_size, 0), seed=0)
    trainer.fit(batches(corpus, recipe, 0), steps=30)
    loss = trainer.evaluate(estimate(corpus.val, recipe.judged_in))["loss"]
    assert abs(loss - recorded) < BAND, loss
