"""The network of a submission, built and filled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tt_nn import Module, StateDictError, WeightsError, load
from tt_perf.competition.architectures import build
from tt_perf.competition.errors import SealError, SubmissionError
from tt_perf.competition.submission import Submission
from tt_perf.competition.tasks import task_named
from tt_tensor.errors import ArgumentError

__all__ = ["load_network", "scheme_named"]

KEY = "tt.quantized"
"""Where `tt_perf.save_quantized` keeps the schemes in the header of weights."""


def load_network(submission: Submission, path: Path) -> Module:
    """The network in eval mode.

    Raises SealError where weights do not match their digest, SubmissionError where they are those of another network.
    """
    model = build(task_named(submission.task), submission.architecture, submission.arguments)
    try:
        if submission.quantization is not None:
            from tt_perf.quantization import load_quantized

            model = load_quantized(path, model)
        else:
            model.load_state_dict(load(path))
    except WeightsError as error:
        raise SealError(f"weights: {error}") from error
    except (StateDictError, ArgumentError) as error:
        raise SubmissionError(f"the weights are not those of {submission.architecture}: {error}") from error
    return model.eval()


def scheme_named(metadata: Mapping[str, str]) -> str | None:
    """How weights are quantized, in words, by the header that `save_quantized` wrote; None: not at all.

    Raises SubmissionError where it cannot be read.
    """
    if KEY not in metadata:
        return None
    try:
        schemes = [entry["scheme"] for entry in json.loads(metadata[KEY])]
        names = {"-".join(filter(None, (one["weights"], one.get("activations")))) for one in schemes}
        return "+".join(sorted(names))[:80]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SubmissionError(f"weights: the schemes in the header cannot be read: {error}") from error
