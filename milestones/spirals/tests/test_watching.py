"""What is shown and kept on the way: the line, and the film."""

from __future__ import annotations

import io

import numpy as np

from milestone_kit.progress import Progress
from milestone_kit.screen import Screen
from milestone_spirals.networks import network, probabilities
from milestone_spirals.plane import PLANE
from milestone_spirals.training import Plan, train_network
from milestone_spirals.watching import Film

PLAN = Plan(epochs=20, lr=0.01)  # of three batches


def train(small, folder, resume=False):
    stream = io.StringIO()
    with Progress(Screen(stream), PLAN.steps(small), "training") as bar:
        result = train_network(small, 1, PLAN, folder, bar, resume)
    return result, stream.getvalue().splitlines()


def test_the_line_tells_step_loss_and_what_is_right(small, tmp_path):
    result, lines = train(small, tmp_path)
    (_, losses), (_, right) = (result.history.column(name) for name in ("loss", "val_accuracy"))
    # The last step comes before the last evaluation.
    assert lines[-1].startswith(f"training  60/60 steps  loss {losses[-1]:.4g}  right {right[-2]:.1%}  ")


def test_a_run_that_is_over_shows_no_rate(small, tmp_path):
    train(small, tmp_path)
    _, lines = train(small, tmp_path, resume=True)
    assert lines == ["training  60/60 steps"]


def test_the_film_goes_from_the_first_step_to_the_last(small, tmp_path):
    result, _ = train(small, tmp_path)
    steps = [int(frame.title.partition(":")[0].removeprefix("step ")) for frame in result.frames]
    assert steps == [0, 2, 5, 9, 15, 24, 36, 60]
    start = probabilities(network(1), PLANE.points()).reshape(PLANE.cells, PLANE.cells, 3)
    np.testing.assert_allclose(result.frames[0].probability, start, atol=1e-3)
    assert np.abs(result.frames[-1].probability - start).max() > 0.1


def test_a_film_is_taken_on_from_its_state(small, tmp_path):
    film = Film(60, small.choose)
    film.steps, film.right = [0], [0.5]
    film.planes = np.random.default_rng(0).random((1, PLANE.cells, PLANE.cells, 3)).astype(np.float16)
    other = Film(60, small.choose)
    other.load_state_dict(film.state_dict())
    (one,), (same,) = film.frames(), other.frames()
    assert one.title == same.title == "step 0: 50.0 %"
    np.testing.assert_array_equal(one.probability, same.probability)
