"""1986 to 1998, told by running it: batches instead of single images, then a network that knows what an image is.

Sources: D. Rumelhart, G. Hinton, R. Williams, Learning representations by back-propagating errors, Nature 323, 1986.
Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, Proceedings of
the IEEE 86 (11), 1998.
"""

from __future__ import annotations

import numpy as np

from milestone_kit import Session
from milestone_mnist.album import draw
from milestone_mnist.export import export
from milestone_mnist.images import Problem, shifted
from milestone_mnist.networks import Network, cnn_of, logits, mlp_of
from milestone_mnist.training import Plan, Result, images_per_second, train

__all__ = ["BARS", "SECONDS", "Speed", "tell"]

BARS = {"mnist": {"MLP": 98.0, "CNN": 99.2}, "digits": {"MLP": 95.0, "CNN": 97.0}}
SECONDS = {"mnist": 300.0, "digits": 20.0}
MEASURED_SECONDS = 0.5
"""For so long each of the four speeds is measured."""

Speed = dict[int, float]
"""Images a second, by the size of the batch."""


def tell(session: Session, problem: Problem, plan: Plan) -> None:
    """Measure batches, train both networks, compare them on the test images, straight and moved; draw."""
    count = f"{len(problem.train):,} to learn from, {len(problem.choose):,} to choose the weights by"
    session.say(
        f"{problem.name}: {problem.side}×{problem.side} images, {count}, {len(problem.test):,} to test on"
    )
    networks = (mlp_of(problem), cnn_of(problem))
    speeds = [_speed(session, network, problem, plan) for network in networks]
    results = [_trained(session, network, problem, plan) for network in networks]
    moved = [_moved(result, problem) for result in results]

    for result, right in zip(results, moved, strict=True):
        _note(session, problem, result, right)
    for network, speed in zip(networks, speeds, strict=True):
        name = f"{network.kind}: images/s, batches of {plan.batch} by single ones"
        session.figure(name, speed[plan.batch] / speed[1], "times")
    time = sum(result.seconds for result in results)
    session.figure("training time of both", time, "s", at_most=SECONDS[problem.name])
    _side_by_side(session, plan, results, speeds, moved)
    draw(session, problem, results, moved)
    if session.options.export is not None:
        export(session, results[-1], plan, problem, at_least=BARS["mnist"]["CNN"])


def _speed(session: Session, network: Network, problem: Problem, plan: Plan) -> Speed:
    """One image at a time, then batches: the same training code, the same images."""
    speed = {
        size: images_per_second(network, problem, session.options.seed, plan, size, MEASURED_SECONDS)
        for size in (1, plan.batch)
    }
    said = (
        f"one image at a time {speed[1]:,.0f} images/s, in batches of {plan.batch} {speed[plan.batch]:,.0f}"
    )
    session.say(f"{network.name} learns: {said}, {speed[plan.batch] / speed[1]:.1f} times as fast")
    return speed


def _trained(session: Session, network: Network, problem: Problem, plan: Plan) -> Result:
    seed = session.options.seed
    folder = session.options.out / "checkpoints" / f"{problem.name}-{network.kind.lower()}-seed-{seed}"
    with session.progress(plan.steps(problem), network.name) as bar:
        result = train(network, problem, seed, plan, folder, bar, session.options.resume)
    if result.diverged:
        session.say(f"it stopped: {result.diverged}")
    return result


def _moved(result: Result, problem: Problem) -> dict[int, float]:
    """The share of test images that it gets right when they are moved by so many pixels, in percent."""
    right = {0: result.accuracy}
    for by in range(1, 2 * problem.reach + 1):
        said = logits(result.model, problem, shifted(problem.test.data, by))
        right[by] = float((said.argmax(axis=1) == problem.test.targets).mean()) * 100
    return right


def _note(session: Session, problem: Problem, result: Result, moved: dict[int, float]) -> None:
    kind = result.network.kind
    bar = BARS[problem.name][kind]
    session.figure(f"{kind}: test images right", result.accuracy, "%", at_least=bar)
    for by in (problem.reach, 2 * problem.reach):
        session.figure(f"{kind}: … moved by {by} pixel{'s' * (by > 1)}", moved[by], "%")
    session.figure(f"{kind}: parameters", result.parameters)


def _side_by_side(
    session: Session, plan: Plan, results: list[Result], speeds: list[Speed], moved: list[dict[int, float]]
) -> None:
    """One table for both networks: what each has, and how it does."""
    far = max(moved[0])
    rows = {
        "parameters": [f"{result.parameters:,}" for result in results],
        "test images right": [f"{result.accuracy:.2f} %" for result in results],
        "wrong": [f"{np.count_nonzero(~result.right):,} of {len(result.right):,}" for result in results],
        f"right, moved by {far // 2}, not more than in training": [
            f"{right[far // 2]:.2f} %" for right in moved
        ],
        f"right, moved by {far}, which none has seen": [f"{right[far]:.2f} %" for right in moved],
        "learns, one image at a time": [f"{speed[1]:,.0f} images/s" for speed in speeds],
        f"learns, in batches of {plan.batch}": [f"{speed[plan.batch]:,.0f} images/s" for speed in speeds],
        "training time": [f"{result.seconds:.1f} s" for result in results],
    }
    heading = ["", *(result.network.name for result in results)]
    session.screen.table(heading, [[name, *cells] for name, cells in rows.items()], [""] * len(rows))
