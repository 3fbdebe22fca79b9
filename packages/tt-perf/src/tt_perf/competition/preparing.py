"""prepare_submission: a trained model, as a folder that can be submitted, with figures that were measured."""

from __future__ import annotations

import secrets
import shutil
from os import PathLike
from pathlib import Path
from typing import Any

from tt_nn import Module, save
from tt_perf.acceleration import accelerated
from tt_perf.benchmarking.json_files import write_json
from tt_perf.competition.architectures import described
from tt_perf.competition.errors import SubmissionError
from tt_perf.competition.figures import Figures
from tt_perf.competition.folder import FIGURES, SUBMISSION, WEIGHTS, read_folder
from tt_perf.competition.judging import MEMORY, SECONDS
from tt_perf.competition.loading import scheme_named
from tt_perf.competition.submission import Submission
from tt_perf.competition.tasks import task_named
from tt_perf.competition.verification import measured, submission_in
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["prepare_submission"]


def prepare_submission(
    model: Module,
    task: str,
    folder: str | PathLike[str],
    *,
    name: str,
    author: str,
    architecture: str | None = None,
    arguments: dict[str, Any] | None = None,
    dtype: Any = None,
    kernels: str | None = None,
    mean: tuple[float, ...] = (),
    std: tuple[float, ...] = (),
    seconds: float = SECONDS,
    memory: int = MEMORY,
    download: bool = True,
) -> Figures:
    """Write a submission and measure it, just as a leaderboard will.

    Args:
        model: trained; quantized by `tt_perf.quantize` if you like.
        task: "mnist", "cifar10" or "tinygpt".
        folder: where to; it must not exist yet. It is written aside and renamed once all is measured.
        name, author: what the leaderboard shows.
        architecture, arguments: the constructor of tt_vision.models ("lenet5", "cifar_cnn", …) or "gpt", "llama", and
            what it is called with. Left out, they are told from the model where that is possible: language models,
            and networks with their usual sizes.
        dtype: float16 halves the file of weights; they are computed with as float32.
        kernels: "numpy", or "numba" to be run accelerated; by default as this process is.
        mean, std: of the images' channels, if the model was trained with others than the data set's.
        seconds, memory: what the process that measures it gets.
        download: whether a test set that is not here may be fetched.

    Returns the figures. Raises ArgumentError where the folder is there already, and what `verify_submission` raises;
    then nothing is left behind.
    """
    if not isinstance(model, Module):
        raise DTypeError(
            f"prepare_submission: a trained model is needed, a Module, not {type(model).__name__}"
        )
    target = Path(folder)
    if target.exists() or target.is_symlink():
        raise ArgumentError(f"prepare_submission: {target} is there already; give a folder that is not")
    if not target.parent.is_dir():
        raise ArgumentError(f"prepare_submission: {target.parent} is no folder to put a submission in")
    known = task_named(task)
    if architecture is None:
        if arguments is not None:
            raise ArgumentError("prepare_submission: arguments are those of an architecture; give it, too")
        architecture, arguments = described(known, model)
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    aside.mkdir()
    try:
        scheme = _save(model, aside / WEIGHTS, dtype)
        submission = Submission(
            name,
            author,
            task,
            architecture,
            arguments or {},
            scheme,
            kernels or ("numba" if accelerated() else "numpy"),
            mean,
            std,
        )
        write_json(aside / SUBMISSION, submission.to_dict())
        files = read_folder(aside, (SUBMISSION, WEIGHTS))
        again = submission_in(files)
        figures = measured(again, files, seconds=seconds, memory=memory, download=download)
        write_json(aside / FIGURES, figures.to_dict())
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return figures


def _save(model: Module, path: Path, dtype: Any) -> str | None:
    """Write the weights; the name of their scheme, where they are quantized."""
    from tt_nn import load_metadata
    from tt_perf.quantization import QuantizedLayer, save_quantized

    if not isinstance(model, Module):
        raise SubmissionError(f"prepare_submission: a Module is submitted, not {type(model).__name__}")
    if any(isinstance(module, QuantizedLayer) for module in model.modules()):
        save_quantized(model, path)
        return scheme_named(load_metadata(path))
    state = model.state_dict()
    if dtype is None:
        save(state, path)
        return None
    halved: dict[int, Any] = {}
    for tensor in state.values():  # tied weights stay tied
        key = tensor.array.__array_interface__["data"][0]
        if key not in halved:
            halved[key] = tensor.array.astype(dtype) if tensor.dtype.kind == "f" else tensor.array
    save({name: halved[tensor.array.__array_interface__["data"][0]] for name, tensor in state.items()}, path)
    return None
