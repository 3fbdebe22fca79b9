"""figures.json: what was measured, on what, and a seal over all of it.

    seal = sha256 of the canonical JSON of all other fields, the digests of weights and submission among them

The seal is no signature: whoever edits a figure can make a new one. It tells an accident, and a change of one file
alone, at once. What keeps a forger out is that everything is measured again.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from tt_perf.benchmarking.json_files import canonical
from tt_perf.benchmarking.machine import hardware
from tt_perf.competition.errors import SealError, SubmissionError
from tt_perf.competition.tasks import Task, task_named

__all__ = ["Figures", "differences"]

FORMAT = "tt-perf figures 1"
WHOLE = (
    "samples",
    "batch",
    "peak_memory",
    "size",
    "parameters",
    "threads",
    "reference_peak_memory",
    "reference_size",
)
REAL = ("latency_one", "latency_batch", "reference_latency_one", "reference_latency_batch")
DIGESTS = ("weights_sha256", "submission_sha256", "test_set_sha256")

RATIO_FACTOR = 1.75
"""By which a latency divided by the reference's may differ: both are measured in turns, so what disturbs cancels."""
LATENCY_FACTOR = 4.0
"""By which a latency itself may differ on the same machine."""
MEMORY_SHARE, MEMORY_BYTES = 0.1, 64 << 10
SAME_LOSS, OTHER_LOSS = 1e-6, 1e-3
OTHER_CORRECT = 5e-4
"""Share of samples; on another machine sums are rounded otherwise, and a close call may fall the other way."""


@dataclass(frozen=True)
class Figures:
    """What the judge measured.

    Attributes:
        task: on which one.
        quality: accuracy from 0 to 1; of tinygpt the loss in nats per character.
        samples: of the test set.
        latency_one: seconds of processor time for one sample; of tinygpt for one more character, with a cache.
        latency_batch: seconds for a batch of `batch` samples.
        peak_memory: bytes that weights and one batch need at once.
        size: bytes of the file of weights.
        parameters: numbers in it.
        reference_…: the same of the task's reference network, measured in turns with it.
        threads, kernels, machine, how, when: under what circumstances.
        weights_sha256, submission_sha256, test_set_sha256: of what they were measured.
    """

    task: str
    quality: float
    samples: int
    latency_one: float
    latency_batch: float
    batch: int
    peak_memory: int
    size: int
    parameters: int
    reference_latency_one: float
    reference_latency_batch: float
    reference_peak_memory: int
    reference_size: int
    threads: int
    kernels: str
    machine: dict[str, Any]
    how: str
    when: str
    weights_sha256: str
    submission_sha256: str
    test_set_sha256: str

    def __post_init__(self) -> None:
        task = task_named(self.task)
        for name in WHOLE:
            value = getattr(self, name)
            if type(value) is not int or not 0 < value < 1 << 53:
                raise SubmissionError(f"{name} is a whole number from 1 up, not {value!r:.100}")
        for name in (*REAL, "quality"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
                raise SubmissionError(f"{name} is a number from 0 up, not {value!r:.100}")
        if not all(getattr(self, name) > 0 for name in REAL):
            raise SubmissionError(f"latencies are above 0, not {[getattr(self, name) for name in REAL]}")
        if not task.by_loss and self.quality > 1:
            raise SubmissionError(f"an accuracy is at most 1, not {self.quality!r}")
        for name in DIGESTS:
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
                raise SubmissionError(f"{name} is 64 hexadecimal digits, not {value!r:.100}")
        for name in ("kernels", "how", "when"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > 400 or not value.isprintable():
                raise SubmissionError(f"{name} is printable text, not {value!r:.100}")
        if not isinstance(self.machine, dict):
            raise SubmissionError(f"machine is an object, not {self.machine!r:.100}")

    @property
    def seal(self) -> str:
        """sha256 over all fields."""
        return hashlib.sha256(canonical(asdict(self))).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, sealed."""
        return {"format": FORMAT, **asdict(self), "seal": self.seal}

    @classmethod
    def from_dict(cls, found: Any, where: str = "figures.json") -> Figures:
        """What `to_dict` gave. Raises SubmissionError for other fields and values, SealError for another seal."""
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise SubmissionError(f'{where} holds no figures: it lacks "format": {FORMAT!r}')
        known = {"format", "seal", *(one.name for one in fields(cls))}
        if found.keys() != known:
            raise SubmissionError(f"{where} has other fields than figures: {sorted(known ^ found.keys())}")
        try:
            made = cls(**{name: value for name, value in found.items() if name not in ("format", "seal")})
        except SubmissionError as error:
            raise SubmissionError(f"{where}: {error}") from error
        if made.seal != found["seal"]:
            raise SealError(
                f"{where}: the figures are not those that were sealed; they were edited afterwards"
            )
        return made


def differences(task: Task, claimed: Figures, measured: Figures) -> list[str]:
    """Where the claim is not what was measured, in words; [] where it stands.

    Size, parameters and samples are exact, and so is the accuracy on the same machine (the loss to 1e-6). Peak memory
    may differ by a tenth, latencies by the factors above; across machines, latencies are compared to the reference's
    only, and 5 of 10,000 images may be told otherwise.
    """
    same = _circumstances(claimed) == _circumstances(measured)
    found = [
        f"{name} {getattr(claimed, name):,} is claimed, {getattr(measured, name):,} measured"
        for name in ("samples", "batch", "size", "parameters", "reference_size")
        if getattr(claimed, name) != getattr(measured, name)
    ]
    if task.by_loss:
        share = SAME_LOSS if same else OTHER_LOSS
        if not math.isclose(claimed.quality, measured.quality, rel_tol=share):
            found.append(f"a loss of {claimed.quality!r} is claimed, {measured.quality!r} measured")
    elif abs(claimed.quality - measured.quality) > (1e-9 if same else OTHER_CORRECT):
        found.append(f"an accuracy of {claimed.quality!r} is claimed, {measured.quality!r} measured")
    for name in ("peak_memory", "reference_peak_memory"):
        a, b = getattr(claimed, name), getattr(measured, name)
        if abs(a - b) > MEMORY_SHARE * b + MEMORY_BYTES:
            found.append(f"{name} {a:,} is claimed, {b:,} measured")
    for name in ("latency_one", "latency_batch"):
        a, b = getattr(claimed, name), getattr(measured, name)
        ratio = (a / getattr(claimed, f"reference_{name}")) / (b / getattr(measured, f"reference_{name}"))
        if not 1 / RATIO_FACTOR <= ratio <= RATIO_FACTOR:
            found.append(f"{name} ÷ the reference's is {ratio:.2f} times what is measured")
        elif same and not 1 / LATENCY_FACTOR <= a / b <= LATENCY_FACTOR:
            found.append(f"{name} {a:.3g} s is claimed, {b:.3g} s measured")
    return found


def _circumstances(figures: Figures) -> Any:
    machine = figures.machine
    return hardware(machine), machine.get("numpy"), machine.get("blas"), figures.kernels, figures.threads
