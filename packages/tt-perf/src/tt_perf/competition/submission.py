"""submission.json: who submits what, and how the network is built. Data, from which nothing is executed."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tt_perf.benchmarking.json_files import canonical
from tt_perf.competition.architectures import check_arguments
from tt_perf.competition.errors import SubmissionError
from tt_perf.competition.tasks import task_named

__all__ = ["Submission"]

FORMAT = "tt-perf submission 1"
LONGEST = 80
KERNELS = ("numpy", "numba")


@dataclass(frozen=True)
class Submission:
    """What is submitted.

    Attributes:
        name, author: printable, up to 80 characters.
        task: "mnist", "cifar10" or "tinygpt".
        architecture, arguments: a constructor's name and what it is called with.
        quantization: how weights are quantized ("int8", …), as `tt_perf.save_quantized` wrote them; None: they are not.
        kernels: "numpy", or "numba" to be run accelerated.
        mean, std: of the images' channels on the scale 0 to 1, as the network was trained; () as the task has them.

    Raises SubmissionError for values that are none of this.
    """

    name: str
    author: str
    task: str
    architecture: str
    arguments: dict[str, Any] = field(default_factory=dict)
    quantization: str | None = None
    kernels: str = "numpy"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("name", "author"):
            value = getattr(self, name)
            if (
                not isinstance(value, str)
                or not value.strip()
                or len(value) > LONGEST
                or not value.isprintable()
            ):
                raise SubmissionError(
                    f"{name} is printable text of 1 to {LONGEST} characters, not {value!r:.100}"
                )
        task = task_named(self.task)
        check_arguments(task, self.architecture, self.arguments)
        if self.quantization is not None and (
            not isinstance(self.quantization, str) or not 0 < len(self.quantization) <= LONGEST
        ):
            raise SubmissionError(f"quantization is a scheme's name or null, not {self.quantization!r:.100}")
        if self.kernels not in KERNELS:
            raise SubmissionError(f"kernels is one of {', '.join(KERNELS)}, not {self.kernels!r:.100}")
        channels = 0 if task.by_loss else task.shape[0]
        for name in ("mean", "std"):
            row = getattr(self, name)
            if (
                not isinstance(row, list | tuple)
                or len(row) not in (0, channels)
                or not all(map(_number, row))
            ):
                raise SubmissionError(
                    f"{name} is a row of {channels} numbers between 0 and 1, one for each channel, not {row!r:.100}"
                )
            object.__setattr__(self, name, tuple(map(float, row)))
        if len(self.mean) != len(self.std) or any(value < 1e-3 for value in self.std):
            raise SubmissionError(
                f"mean {self.mean} and std {self.std} go together, and no std is below 0.001"
            )

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        found = {"format": FORMAT, **asdict(self)}
        return found | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, found: Any, where: str = "submission.json") -> Submission:
        """What `to_dict` gave. Raises SubmissionError whose message begins with `where`."""
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise SubmissionError(f'{where} is no submission: it lacks "format": {FORMAT!r}')
        known = {"format", *(one.name for one in fields(cls))}
        if found.keys() != known:
            raise SubmissionError(
                f"{where} has other fields than a submission: {sorted(known ^ found.keys())}"
            )
        try:
            return cls(**{name: value for name, value in found.items() if name != "format"})
        except SubmissionError as error:
            raise SubmissionError(f"{where}: {error}") from error

    def digest(self, weights_sha256: str) -> str:
        """What makes a submission the same: all of it but name and author, and its weights."""
        found = {name: value for name, value in self.to_dict().items() if name not in ("name", "author")}
        return hashlib.sha256(canonical([found, weights_sha256])).hexdigest()


def _number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= 1
    )
