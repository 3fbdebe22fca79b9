"""Trainer: one loop for any model, loss and iterable of batches, which can be killed at any moment and goes on.

    trainer = Trainer(model, loss_fn, optimizer, metrics=[Accuracy()], checkpoints="runs/first")
    history = trainer.fit(train, val, epochs=10, resume=True)

This file is what a user sees; the loop itself stands in `loop`, what a checkpoint holds in `resume`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn import Module
from tt_optim.lr_scheduler import LRScheduler
from tt_optim.optimizer import Optimizer
from tt_optim.ranges import COUNT, FLAG, POSITIVE
from tt_optim.training import random_states
from tt_optim.training.arguments import (
    check_ema,
    check_model,
    check_once,
    check_schedule,
    load_from,
    metrics_of,
    mode_of,
    several,
    store_of,
)
from tt_optim.training.batches import Forward, apply, check_source, forward_of, forward_pair, inputs_of
from tt_optim.training.best import Best
from tt_optim.training.callbacks import Callback, Callbacks
from tt_optim.training.configuration import describe
from tt_optim.training.counting import Count, counting
from tt_optim.training.ema import EMA
from tt_optim.training.evaluation import measure, outputs_of
from tt_optim.training.every import Every
from tt_optim.training.feed import Feed
from tt_optim.training.history import History, HistoryError
from tt_optim.training.loop import Run, training
from tt_optim.training.metrics import Mean, Metric
from tt_optim.training.progress import display_of
from tt_optim.training.resume import ResumeError, load_weights, step_of
from tt_optim.training.shards import check_shards
from tt_optim.training.store import HISTORY, CheckpointStore
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError

if TYPE_CHECKING:
    from tt_optim.training.progress import Mode

__all__ = ["Trainer"]


class Trainer:
    """Trains `model` so that `loss_fn(outputs, targets)` gets small.

    A batch is (inputs, targets); see `batches` for all that it may be.

    Args:
        model: any Module. `fit` trains it in train mode; parts that are in eval mode while the whole is in train
            mode stay frozen so.
        loss_fn: loss_fn(outputs, targets) → a Tensor of one element, a mean or a sum.
        optimizer: moves parameters of the model.
        scheduler: its `step()` is called every "step" or every "epoch" (`schedule_every`); ReduceLROnPlateau is
            given the figure `monitor`.
        metrics: Metrics, each with a name of its own, measured in training and in evaluation.
        train_metrics: False measures them in evaluation only.
        accumulate: how many batches make one step of the optimizer; its gradient is that of the one large batch.
        shards: cut each batch in so many parts that run side by side, a thread each; the gradient is the whole batch's.
            As many as there are cores for models of many small layers (a small transformer), 1 for others.
        clip_norm, clip_value: clip the gradient of the whole step by its norm, or number by number.
        ema: a decay, or an EMA of the model; evaluation and `predict` then use the averaged weights.
        callbacks: see `Callback`.
        forward: forward(model, batch) → (outputs, targets), where batches are of another kind.
        count: count(outputs, targets) → how many terms the mean of the loss is over. Known for tt_nn's losses; needed
            for others with accumulate or shards > 1.
        monitor: the figure that tells which weights are best; by default val_loss, or loss without validation.
        mode: "min" or "max"; by default what the metric says.
        keep_best: keep the best weights, in a checkpoint or, without checkpoints, in memory; see `restore_best`.
        checkpoints: a folder, or a CheckpointStore with settings of its own.
        checkpoint_every: a number of steps, "epoch", Every(steps=, epochs=, seconds=), or None for only at the end.
        history: where to write the lines of the history; by default history.jsonl beside the checkpoints, or
            nowhere without them.
        log_every: a line in the history for every so many steps, beside those of epochs and evaluations.
        progress: "auto": live in a terminal, plain lines elsewhere; True: live; "plain"; False: silence.
        seed: seeds tt_tensor's default generator, `random` and NumPy's legacy state when the first `fit` begins.

    Raises ArgumentError, DTypeError for arguments that are wrong or do not go together.
    """

    def __init__(
        self,
        model: Module,
        loss_fn: Callable[..., Any],
        optimizer: Optimizer,
        *,
        scheduler: LRScheduler | None = None,
        schedule_every: str = "step",
        metrics: Sequence[Metric] = (),
        train_metrics: bool = True,
        accumulate: int = 1,
        shards: int = 1,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        ema: float | EMA | None = None,
        callbacks: Sequence[Callback] = (),
        forward: Forward | None = None,
        count: Count | None = None,
        monitor: str | None = None,
        mode: str | None = None,
        keep_best: bool = True,
        checkpoints: str | PathLike[str] | CheckpointStore | None = None,
        checkpoint_every: int | str | Every | None = "epoch",
        history: str | PathLike[str] | None = None,
        log_every: int | None = None,
        progress: Mode = "auto",
        seed: int | None = None,
    ) -> None:
        check_model(model, optimizer)
        check_schedule(scheduler, optimizer, schedule_every)
        self.model, self.loss_fn, self.optimizer = model, loss_fn, optimizer
        self.scheduler, self.schedule_every = scheduler, schedule_every
        self.counting = counting(loss_fn, count=count)
        self.accumulate = COUNT(1)("Trainer: accumulate", accumulate)
        if max(self.accumulate, shards) > 1 and self.counting.reduction == "mean" and not self.counting.known:
            raise ArgumentError(
                f"Trainer: accumulate={accumulate}, shards={shards} have to know how many terms the mean of this loss "
                "is over, which is none of tt_nn's; pass count=lambda outputs, targets: ..."
            )
        self.shards = COUNT(1)("Trainer: shards", shards)
        check_shards(self.shards, model)
        self.clip_norm = None if clip_norm is None else POSITIVE("Trainer: clip_norm", clip_norm)
        self.clip_value = None if clip_value is None else POSITIVE("Trainer: clip_value", clip_value)
        if clip_norm is not None and clip_value is not None:
            raise ArgumentError("Trainer: clip by the norm or by value, not both")
        self.ema = check_ema(ema, model)
        self.own_forward = None if forward is None else forward_of(forward)
        self.forward = self.own_forward or forward_pair

        self.metrics = metrics_of(metrics)
        self.train_metrics = self.metrics if FLAG("Trainer: train_metrics", train_metrics) else []
        # Evaluation in mid-epoch must not disturb the sums of training.
        self.val_metrics = copy.deepcopy(self.metrics)
        self.mean_loss = Mean("loss")

        self.monitor = monitor
        self.keep_best = FLAG("Trainer: keep_best", keep_best)
        mode = mode_of(mode, monitor or "loss", self.metrics)
        self.store = store_of(checkpoints, self.keep_best, mode)
        self.best = Best(monitor or "val_loss", mode, self.keep_best and self.store is None)
        self.checkpoint_every = Every.of("Trainer: checkpoint_every", checkpoint_every)
        if history is None and self.store is not None:
            history = self.store.folder / HISTORY
        self.history = History(history)
        self.log_every = None if log_every is None else COUNT(1)("Trainer: log_every", log_every)
        self.callbacks = Callbacks([*several(callbacks), *display_of(progress)])
        self.seed = None if seed is None else COUNT(0, 2**64)("Trainer: seed", seed)

        self.step = 0
        """Steps of the optimizer so far."""
        self.epoch = 0
        """Epochs that are complete."""
        self.samples = 0
        """Samples seen in training."""
        self.seconds = 0.0
        """How long training took, in all its runs."""
        self.loss = float("nan")
        """The loss of the last step."""
        self.grad_norm = float("nan")
        """The norm of the last gradient, before clipping; with clip_norm."""
        self.lr: float = optimizer.param_groups[0]["lr"]
        """The learning rate of the last step, of the first group."""
        self.results: dict[str, Any] = {}
        """The figures of the last line of the history: {"loss": ..., "val_loss": ...}."""
        self.evaluated_step = self.recorded_step = 0
        self.stop_reason: str | None = None
        """Why a callback stopped the run."""
        self.total_steps: int | None = None
        """How many steps there will be at the end of this `fit`, where that is known."""
        self.total_epochs: int | None = None
        self.run: Run | None = None
        self._feed: Feed | None = None
        self.config = describe(self)

    # --- training -------------------------------------------------------------------------------------------

    def fit(
        self,
        train: Any,
        val: Any = None,
        *,
        epochs: int | None = None,
        steps: int | None = None,
        evaluate_every: int | str | Every | None = "epoch",
        resume: bool | str | PathLike[str] | None = False,
    ) -> History:
        """Train until there are `epochs` epochs or `steps` steps in all, whichever comes first.

        Called again, it goes on from there, so epochs=10 after epochs=5 trains five more.

        Args:
            train: an iterable of batches, or a function that returns one; see `feed` for what is resumed how.
            val: the same for evaluation.
            evaluate_every: when to evaluate on `val`: a number of steps, "epoch", Every(...); None for never.
            resume: True goes on from the newest good checkpoint, bit for bit, and starts anew where there is none;
                a path goes on from that one; False or None starts anew.

        Raises Interrupted after Ctrl-C or SIGTERM, with a checkpoint saved; NonFiniteError for a loss, a norm or
        weights that are nan or inf; ConfigurationError, ReplayError, CheckpointError where a run cannot be resumed;
        ArgumentError where `checkpoints` or `history` hold another run and `resume` is False.
        """
        if epochs is None and steps is None:
            raise ArgumentError("fit: say how long: epochs= or steps=")
        epochs = None if epochs is None else COUNT(1)("fit: epochs", epochs)
        steps = None if steps is None else COUNT(1)("fit: steps", steps)
        every = Every.of("fit: evaluate_every", evaluate_every)
        if val is not None:
            check_source("fit: val", val)
        check_once(train, val, (epochs or self.epoch + 1) - self.epoch)
        feed = self._feed
        if feed is None or feed.source is not train or not feed.open:
            feed = Feed(train)
        if self.monitor is None:
            self.best.monitor = "loss" if val is None or every is None else "val_loss"
        elif self.monitor.startswith("val_") and (val is None or every is None):
            raise ArgumentError(f"fit: {self.monitor!r} is monitored, but there is no validation; pass val=")
        self.config["evaluate_every"] = "never" if val is None else repr(every)
        self._feed = feed
        self.stop_reason = None
        run = self.run = Run(self, feed, val, epochs, steps, every)
        self.total_epochs, self.total_steps = epochs, run.total_steps()
        try:
            with run.interrupts.deferred(), training(self.model):
                self._enter(run, resume)
                self.callbacks.emit("on_fit_start", self)
                run.train()
                self.callbacks.emit("on_fit_end", self)
                if run.interrupts.asked:  # the run is complete, but what comes after it is not wanted
                    run.leave()
        except BaseException as error:
            self.callbacks.emit("on_exception", self, error)
            raise
        finally:
            self.run = None
            self.history.close()
        return self.history

    def stop(self, reason: str) -> None:
        """End the run after the current step, in order. For callbacks."""
        self.stop_reason = reason

    def save(self) -> None:
        """Write a checkpoint after the current step. For callbacks; raises ArgumentError where there is no place."""
        if self.store is None or self.run is None:
            raise ArgumentError("Trainer.save: only during fit(), and with checkpoints=...")
        self.run.save_due = True

    @property
    def validates(self) -> bool:
        """Whether the `fit` that is running evaluates."""
        return self.run is not None and self.run.evaluates

    # --- using the model ------------------------------------------------------------------------------------

    def evaluate(self, data: Any, metrics: Sequence[Metric] | None = None) -> dict[str, Any]:
        """{"loss": ..., each metric's name: its figure} over all batches of `data`, exact however they are cut.

        In eval mode, without a tape, with the averaged weights if there is an EMA; afterwards everything is as it was.

        Raises ArgumentError for data without a batch.
        """
        check_source("evaluate", data)
        return self.measured(data, metrics=None if metrics is None else metrics_of(metrics))

    def predict(self, data: Any) -> Any:
        """The outputs for all batches of `data`, joined along the first axis: a Tensor, or a tuple or dict of them.

        `data` gives (inputs, targets) or inputs alone; a single Tensor or array is one batch of inputs.

        Raises ArgumentError for data without a batch.
        """
        if isinstance(data, Tensor | np.ndarray):
            data = [data]
        check_source("predict", data)
        own = self.own_forward
        with self.ema.swapped() if self.ema is not None else nullcontext():
            if own is None:
                return outputs_of(self.model, data, lambda model, batch: apply(model, inputs_of(batch)))
            return outputs_of(self.model, data, lambda model, batch: own(model, batch)[0])

    def restore_best(self) -> int:
        """Give the model the best weights so far (the averaged ones, if there is an EMA); returns their step.

        Raises ArgumentError where none were kept.
        """
        if self.store is None:
            if self.best.weights is not None and self.best.step is not None:
                self.model.load_state_dict(self.best.weights)
                return self.best.step
        elif (path := self.store.best()) is not None:
            state = self.store.load(path)
            averaged = {} if state["ema"] is None else state["ema"]["average"]
            load_weights(self.model, {**state["model"], **state["buffers"], **averaged})
            return int(state["place"]["step"])
        raise ArgumentError(
            f"restore_best: no weights were kept; {self.best.monitor!r} was not measured yet, or keep_best is False"
        )

    def measured(
        self, data: Any, look: Callable[[], None] = lambda: None, metrics: Sequence[Metric] | None = None
    ) -> dict[str, Any]:
        """`evaluate`, with `look` called before each batch."""
        chosen = self.val_metrics if metrics is None else metrics
        with self.ema.swapped() if self.ema is not None else nullcontext():
            return measure(self.model, data, self.forward, self.loss_fn, self.counting, chosen, look)

    def judge(self, results: Mapping[str, Any]) -> bool:
        """Whether these figures are the best so far, and are to be kept."""
        weights = self.model.state_dict if self.ema is None else self.ema.weights
        return self.best.judge(results, self.step, weights) and self.keep_best

    # --- where it stands ------------------------------------------------------------------------------------

    PLACE = (
        "step",
        "epoch",
        "samples",
        "seconds",
        "loss",
        "grad_norm",
        "lr",
        "results",
        "evaluated_step",
        "recorded_step",
    )

    def place(self) -> dict[str, Any]:
        """The numbers that say where training stands, for a checkpoint."""
        place = {name: getattr(self, name) for name in self.PLACE}
        return place | {"lines": len(self.history.records), "best": self.best.state_dict()}

    def set_place(self, place: Mapping[str, Any]) -> None:
        """Go to where a checkpoint was written; the history is cut to what it was then."""
        self.history.cut(place["lines"])
        for name in self.PLACE:
            setattr(self, name, place[name])
        self.best.load_state_dict(place["best"])

    def _enter(self, run: Run, resume: Any) -> None:
        """Start anew, go on, or resume."""
        store = self.store
        if resume is True and store is None:
            raise ArgumentError("fit: resume=True needs to know where: Trainer(..., checkpoints=folder)")
        if resume is True and store is not None and store.checkpoints():
            run.load(store.load())
        elif resume is not None and not isinstance(resume, bool):
            state = load_from(resume)
            newest = None if store is None else store.newest()
            if newest is not None and int(newest.stem.partition("-")[2]) > step_of(state):
                raise ResumeError(
                    f"fit: {newest} is newer than {resume}; to go on from there in another way, give the run a "
                    "folder of its own: checkpoints=..."
                )
            run.load(state)
        elif self.step == 0:
            if resume is True:
                self.history.cut(0)
            else:
                self._refuse_others()
            if self.seed is not None:
                random_states.seed_all(self.seed)

    def _refuse_others(self) -> None:
        """Raise where a new run would mix with one that is there."""
        if self.store is not None and (found := self.store.checkpoints()):
            raise ArgumentError(
                f"fit: {self.store.folder} holds checkpoints of a run, the newest {found[-1].name}; resume=True goes "
                "on with it, a new run needs another folder, or CheckpointStore(folder).clear()"
            )
        path = self.history.path
        if path is not None and path.is_dir():
            raise HistoryError(f"fit: {path} is a folder; `history` is the name of a file")
        if path is not None and path.exists() and path.stat().st_size:
            raise HistoryError(
                f"fit: {path} holds the history of a run; resume=True goes on with it, a new run needs another path"
            )
