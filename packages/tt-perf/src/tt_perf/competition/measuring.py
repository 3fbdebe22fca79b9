"""What a network is worth: how often it is right, how long it takes, what it needs.

Latencies are seconds of processor time of the one thread that the judge allows: on an idle machine that is what the
clock on the wall shows, on a busy one it does not count while others run. The network takes turns with the task's
reference network, so that the ratio means the same on any machine. Turns are long and all of them are added up: in a
virtual machine that clock now and then stands still for some milliseconds, and makes up for it later.
"""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from time import get_clock_info, perf_counter, process_time
from typing import Any

import numpy as np
import numpy.typing as npt

from tt_nn import Module
from tt_perf.benchmarking.timing import calibrated, timed
from tt_perf.competition.architectures import build
from tt_perf.competition.errors import JudgeError
from tt_perf.competition.tasks import BLOCK, Task, TestSet
from tt_tensor import Tensor, kernels, tensor
from tt_tensor.errors import TTError

__all__ = ["measure"]

TURNS = 8
TURN_SECONDS = 0.1
FINEST = 1e-5
"""Seconds that a clock must tell apart to be of use."""
TOTAL_SECONDS = 20.0
AT_ONCE = 250
PROMPT, SAID = 32, 16
"""Characters that are read at once, and that then come one by one: what latency_one of tinygpt is measured on."""

Run = Callable[[], Any]


def measure(
    task: Task, model: Module, test_set: TestSet, mean: tuple[float, ...] = (), std: tuple[float, ...] = ()
) -> dict[str, Any]:
    """Quality, latencies, memory, parameters of `model` and of the reference, as `Figures` names them.

    Raises JudgeError where the network does not take the task's inputs, or does not give what is asked for.
    """
    fast = kernels.preferred()
    reference = _begun(build(task, *task.reference))
    mean, std = mean or task.mean, std or task.std
    try:
        quality, samples = _text(model, test_set) if task.by_loss else _images(model, test_set, mean, std)
        kinds = [_runs(task, one, test_set, mean, std) for one in (model, reference)]
        memory = []
        for each, runs, name in zip((model, reference), kinds, (fast, None), strict=True):
            kernels.prefer(name)
            memory.append(_peak(each, runs[1]))
        one, batch = (_alternated([(kinds[0][at], fast), (kinds[1][at], None)]) for at in (0, 1))
    except (TTError, ArithmeticError, ValueError, TypeError, IndexError) as error:
        raise JudgeError(f"the network does not do the task: {error}") from error
    finally:
        kernels.prefer(fast)
    said = 1 if not task.by_loss else SAID
    return {
        "quality": quality,
        "samples": samples,
        "latency_one": one[0] / said,
        "latency_batch": batch[0],
        "batch": task.batch,
        "peak_memory": memory[0],
        "parameters": sum(array.size for array in _arrays(model)),
        "reference_latency_one": one[1] / said,
        "reference_latency_batch": batch[1],
        "reference_peak_memory": memory[1],
        "reference_size": sum(array.nbytes for array in _arrays(reference)),
    }


def _images(
    model: Module, test_set: TestSet, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[float, int]:
    right, count = 0, len(test_set.inputs)
    for start in range(0, count, AT_ONCE):
        some = slice(start, start + AT_ONCE)
        logits = _output(model, _prepared(test_set.inputs[some], mean, std))
        right += int((logits.argmax(axis=1) == test_set.targets[some]).sum())
    return right / count, count


def _text(model: Module, test_set: TestSet) -> tuple[float, int]:
    """The mean cross entropy of all tokens but the first, in blocks side by side."""
    tokens, total = test_set.inputs, 0.0
    count = len(tokens) - 1
    whole = count // BLOCK * BLOCK
    inputs, targets = tokens[:whole].reshape(-1, BLOCK), tokens[1 : whole + 1].reshape(-1, BLOCK)
    pieces = [(inputs[at : at + 32], targets[at : at + 32]) for at in range(0, len(inputs), 32)]
    if whole < count:
        pieces.append((tokens[None, whole:-1], tokens[None, whole + 1 :]))
    for some, wanted in pieces:
        logits = _output(model, tensor(some)).astype(np.float64)  # (N, T, V)
        logits -= logits.max(axis=2, keepdims=True)
        chosen = np.take_along_axis(logits, wanted[..., None], axis=2)[..., 0]
        total += float((np.log(np.exp(logits).sum(axis=2)) - chosen).sum())
    return total / count, count


def _output(model: Module, inputs: Tensor) -> npt.NDArray[Any]:
    """The logits. Raises JudgeError where they are no numbers, or not as many as there are classes."""
    logits: npt.NDArray[Any] = model(inputs).array
    classes = 10 if inputs.dtype.kind == "f" else 65
    leading = inputs.shape if classes == 65 else inputs.shape[:1]
    if logits.shape != (*leading, classes):
        raise JudgeError(f"the network gives {logits.shape} for {inputs.shape}, not {(*leading, classes)}")
    if not np.isfinite(logits).all():
        raise JudgeError("the network gives NaN or infinity on the test set")
    return logits


def _prepared(images: npt.NDArray[Any], mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(x / 255 - mean) / std, in memory as the layers of tt-vision like it: channels last."""
    factor = 1 / (255 * np.array(std, np.float32))
    pixels = images.transpose(0, 2, 3, 1) * factor - np.array(mean, np.float32) / np.array(std, np.float32)
    return tensor(pixels.astype(np.float32).transpose(0, 3, 1, 2))


def _runs(
    task: Task, model: Any, test_set: TestSet, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[Run, Run]:
    """What is timed: one sample, and a batch."""
    if not task.by_loss:
        images = _prepared(test_set.inputs[: task.batch], mean, std)
        one = tensor(np.ascontiguousarray(images.array[:1]))
        return lambda: model(one), lambda: model(images)
    blocks = tensor(test_set.inputs[: task.batch * BLOCK].reshape(task.batch, BLOCK))
    prompt = test_set.inputs[None, :PROMPT]
    singly = [test_set.inputs[None, at : at + 1] for at in range(PROMPT, PROMPT + SAID)]

    def said() -> None:
        cache = model.new_cache()
        model(prompt, cache=cache, last=True)
        for token in singly:
            model(token, cache=cache)

    return said, lambda: model(blocks)


def _alternated(runs: list[tuple[Run, str | None]]) -> list[float]:
    """Seconds a call of each, in turns, each on the kernels it names: the reference always runs on NumPy's."""
    timer = process_time if get_clock_info("process_time").resolution <= FINEST else perf_counter
    calls = []
    for run, name in runs:
        kernels.prefer(name)
        run()
        calls.append(calibrated(run, TURN_SECONDS))
    seconds, turns = [0.0] * len(runs), 0
    while turns < TURNS and (turns < 2 or sum(seconds) < TOTAL_SECONDS):
        for at in range(len(runs)) if turns % 2 else reversed(range(len(runs))):
            run, name = runs[at]
            kernels.prefer(name)
            seconds[at] += timed(run, calls[at], timer) * calls[at]
        turns += 1
    return [spent / (count * turns) for spent, count in zip(seconds, calls, strict=True)]


def _peak(model: Module, run: Run) -> int:
    """Bytes of the weights, and what one batch takes beside them at most.

    In a new thread, since memory that layers keep for the next time belongs to one. All was run before, so nothing
    is compiled or imported meanwhile.
    """
    run()
    peaks: list[int] = []
    failed: list[BaseException] = []

    def traced() -> None:
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            run()
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
        except BaseException as error:
            failed.append(error)
        finally:
            tracemalloc.stop()

    thread = threading.Thread(target=traced)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return sum(array.nbytes for array in _arrays(model)) + peaks[0]


def _arrays(model: Module) -> list[npt.NDArray[Any]]:
    """Parameters and buffers, tied ones once."""
    found = {
        (array.__array_interface__["data"][0], array.shape): array
        for array in (value.array for value in model.state_dict().values())
    }
    return list(found.values())


def _begun(model: Module) -> Module:
    """Some weights, since zeros might be quicker to compute with."""
    rng = np.random.default_rng(0)
    for parameter in model.parameters():
        parameter.write(rng.normal(0, 0.05, parameter.shape).astype(np.float32))
    return model
