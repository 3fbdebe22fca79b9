"""TensorBoard: the figures of training as event files, written by tensorboardX."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from tt_optim.ranges import COUNT
from tt_optim.training.callbacks import Callback
from tt_tensor.errors import MissingWheelError

if TYPE_CHECKING:
    from tt_optim.training.trainer import Trainer

__all__ = ["TensorBoard"]


class TensorBoard(Callback):
    """Writes train/loss, train/lr (and train/grad_norm) every so many steps, and each figure of an evaluation or epoch.

    A resumed run tells TensorBoard to forget what came after its checkpoint.

    Args:
        folder: where the event files go; `tensorboard --logdir folder` shows them.
        every: how many steps between two points of train/.

    Raises MissingWheelError without tensorboardX.
    """

    def __init__(self, folder: str | PathLike[str], every: int = 10) -> None:
        self.folder = folder
        self.every = COUNT(1)("TensorBoard: every", every)
        self._writer: Any = None
        _writer_class()

    def on_fit_start(self, trainer: Trainer) -> None:
        purge = trainer.step + 1 if trainer.step else None
        # The library names a file by the second, so that a quick resume would write over the file of before.
        suffix = f".{secrets.token_hex(4)}"
        self._writer = _writer_class()(str(self.folder), purge_step=purge, filename_suffix=suffix)

    def on_step_end(self, trainer: Trainer) -> None:
        if trainer.step % self.every == 0:
            self._write({"train/loss": trainer.loss, "train/lr": trainer.lr}, trainer.step)
            if trainer.clip_norm is not None:
                self._write({"train/grad_norm": trainer.grad_norm}, trainer.step)

    def on_evaluate_end(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        self._write(
            {f"val/{name.removeprefix('val_')}": value for name, value in results.items()}, trainer.step
        )

    def on_epoch_end(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        own = {f"epoch/{name}": value for name, value in results.items() if not name.startswith("val_")}
        self._write(own, trainer.step)

    def on_exception(self, trainer: Trainer, error: BaseException) -> None:
        self._close()

    def on_fit_end(self, trainer: Trainer) -> None:
        self._close()

    def _write(self, figures: Mapping[str, Any], step: int) -> None:
        for name, value in figures.items():
            if isinstance(value, int | float):
                self._writer.add_scalar(name, value, step)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ModuleNotFoundError as error:
        raise MissingWheelError(
            "TensorBoard: needs tensorboardX; pip install 'tt-optim[tensorboard]'"
        ) from error
    return SummaryWriter
