"""The three tasks: what a network is to do, on which test set, and against what it is scored.

    mnist     tell the digits of MNIST            correct of 10,000 images
    cifar10   tell what is on CIFAR-10's images   correct of 10,000 images
    tinygpt   predict characters of Shakespeare   mean cross entropy, in nats, of 111,539 characters

A test set is known by its sha256 here, whoever hands it over.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tt_perf.competition.errors import SubmissionError, TestSetError
from tt_perf.competition.extra import needed

__all__ = ["TASKS", "Task", "TestSet", "load_test_set", "task_named"]


@dataclass(frozen=True)
class Task:
    """One of the competition's tasks.

    Attributes:
        name: "mnist", "cifar10" or "tinygpt".
        sha256: of the test set, see `TestSet.sha256`.
        samples: how many images, or characters to predict.
        floor: accuracy (of tinygpt, loss) that has to be reached for a score.
        architectures: what networks may be; see `architectures`.
        reference: architecture and arguments of the network that a score of 100 stands for.
        reference_quality: its accuracy, or loss.
        batch: samples of the batch that is timed.
        mean, std: of the images' channels, where a submission names no others.
    """

    name: str
    sha256: str
    samples: int
    floor: float
    architectures: tuple[str, ...]
    reference: tuple[str, dict[str, Any]]
    reference_quality: float
    batch: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def by_loss(self) -> bool:
        """Is a network judged by its loss, and not by its accuracy?"""
        return self.name == "tinygpt"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (C, H, W), or the characters of a block."""
        return {"mnist": (1, 28, 28), "cifar10": (3, 32, 32), "tinygpt": (BLOCK,)}[self.name]


BLOCK = 64
"""Characters that are read at once: with more context each would be easier to tell."""

ALPHABET = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The 65 characters of TinyShakespeare: the i-th is token i."""

IMAGES = ("mlp", "lenet5", "cifar_cnn", "resnet18", "resnet20", "resnet34", "vgg11", "vgg11_bn")

TASKS = {
    task.name: task
    for task in (
        Task(
            "mnist",
            "a0863a96c44e5666edbb30c4071ee79ca0514c621e6349c5967fc78e7305c891",
            10_000,
            0.97,
            IMAGES,
            ("lenet5", {}),
            0.9935,
            64,
            (0.1307,),
            (0.3081,),
        ),
        Task(
            "cifar10",
            "2c33b053d1cd726af8d86e174a96dd89d7000ba1412add026d68142375b89d51",
            10_000,
            0.70,
            IMAGES,
            ("cifar_cnn", {}),
            0.80,
            64,
            (0.4914, 0.4822, 0.4465),
            (0.2470, 0.2435, 0.2616),
        ),
        Task(
            "tinygpt",
            "c54f3753a4e6e3c3d1759212815a7caf826e68a33021b25312984400bed40a1f",
            111_539,
            2.10,
            ("gpt", "llama"),
            (
                "gpt",
                {"vocab_size": 65, "block_size": 64, "n_layer": 4, "n_head": 4, "n_embd": 128, "bias": False},
            ),
            1.88,
            12,
        ),
    )
}
"""The tasks by name."""


@dataclass(frozen=True)
class TestSet:
    """What a network is judged on.

    Attributes:
        inputs: images, uint8 (N, C, H, W), or tokens, int64 (N,).
        targets: labels, int64 (N,); for a text, its tokens once more.
    """

    __test__ = False  # pytest would take the name for a class of tests

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[np.int64]

    @property
    def sha256(self) -> str:
        """Of the pixels in the order of (N, C, H, W) and the labels as int64; of a text, of its characters."""
        digest = hashlib.sha256()
        if self.inputs.dtype == np.uint8:
            digest.update(np.ascontiguousarray(self.inputs).tobytes())
            digest.update(self.targets.astype("<i8").tobytes())
        else:
            digest.update("".join(ALPHABET[token] for token in self.inputs.tolist()).encode("ascii"))
        return digest.hexdigest()


def task_named(name: Any) -> Task:
    """The task of that name. Raises SubmissionError that lists all."""
    if not isinstance(name, str) or name not in TASKS:
        raise SubmissionError(f"there is no task {name!r}; there are {', '.join(TASKS)}")
    return TASKS[name]


def load_test_set(task: Task, download: bool = False) -> TestSet:
    """The true test set, from where the user's data is (TT_DATA_HOME, then the cache folder).

    Args:
        download: whether it may be fetched.

    Raises TestSetError where what is there is another one, the data set's own errors where there is none, and
    MissingWheelError without the extra `compete`.
    """
    if task.by_loss:
        text = needed("tt_text.datasets").TinyShakespeare("val").text
        place = {character: token for token, character in enumerate(ALPHABET)}
        tokens = np.array([place[character] for character in text], np.int64)
        found = TestSet(tokens, tokens)
    else:
        datasets = needed("tt_vision.datasets")
        images = (datasets.MNIST if task.name == "mnist" else datasets.CIFAR10)(
            train=False, download=download
        )
        found = TestSet(images.data, images.targets)
    if found.sha256 != task.sha256:
        raise TestSetError(
            f"{task.name}: the test set that is here is another one: its sha256 is {found.sha256}, the task's "
            f"{task.sha256}; put the published files there"
        )
    return found
