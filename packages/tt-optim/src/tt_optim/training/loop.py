"""One run of the loop: batches to steps, steps to epochs, and when to evaluate, to save and to end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tt_autograd import no_grad
from tt_nn import Module
from tt_optim.clip import clip_grad_norm_, clip_grad_value_
from tt_optim.lr_scheduler import ReduceLROnPlateau
from tt_optim.training import random_states
from tt_optim.training.accumulation import add_gradient, divide
from tt_optim.training.batches import BatchError, rows
from tt_optim.training.bits import machine_bits
from tt_optim.training.counting import Count
from tt_optim.training.every import Every
from tt_optim.training.feed import END, Feed
from tt_optim.training.finite import NonFiniteError, advice, is_finite, refuse_weights
from tt_optim.training.interrupts import Interrupted, Interrupts
from tt_optim.training.resume import capture, held_by, restore
from tt_optim.training.shards import add_gradients_of, run_in_shards
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError

if TYPE_CHECKING:
    from pathlib import Path

    from tt_optim.training.store import CheckpointStore
    from tt_optim.training.trainer import Trainer

__all__ = ["Run", "training"]


class _AbandonedError(Exception):
    """An evaluation was left because of a signal."""


@contextmanager
def training(model: Module) -> Iterator[None]:
    """Inside, the model is in train mode. One that is so already keeps the parts that somebody froze in eval mode."""
    modes = [] if model.training else [(module, module.training) for module in model.modules()]
    try:
        if modes:
            model.train()
        yield
    finally:
        for module, mode in modes:
            module.training = mode


class Run:
    """What one call of `fit` adds to a Trainer: the data, and how far to go."""

    def __init__(
        self,
        trainer: Trainer,
        feed: Feed,
        val: Any,
        epochs: int | None,
        steps: int | None,
        evaluate_every: Every | None,
    ) -> None:
        self.trainer, self.feed, self.val = trainer, feed, val
        self.epochs, self.steps, self.evaluate_every = epochs, steps, evaluate_every
        self.interrupts = Interrupts()
        self.evaluation_due = False
        self.save_due = False
        self.saved = False
        """Whether there is a checkpoint of exactly this state."""
        self.started = time.monotonic() - trainer.seconds
        self.saved_at = time.monotonic()
        self.evaluated_at = time.monotonic()
        self.bits = "" if trainer.store is None else machine_bits()
        self.find_parameters()

    def find_parameters(self) -> None:
        """The parameters, listed once an epoch: walking through the modules costs more than a small step."""
        self.parameters = list(self.trainer.model.parameters())
        self.moved = [p for group in self.trainer.optimizer.param_groups for p in group["params"]]

    def total_steps(self) -> int | None:
        """How many steps there will be at the end, as far as the data knows its length."""
        length = self.feed.length()
        by_epochs = None
        if self.epochs is not None and length is not None:
            by_epochs = self.epochs * -(-length // self.trainer.accumulate)
        return min((n for n in (self.steps, by_epochs) if n is not None), default=None)

    # --- the loop -------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Step until there is enough."""
        trainer = self.trainer
        while True:
            if self.interrupts.asked:
                self.leave()
            try:
                if self.evaluation_due:
                    self.evaluate()
                if self.save_due and trainer.store is not None:
                    self.save(trainer.store)
                if self.enough():
                    break
                if not self.feed.open:
                    self.begin_epoch()
                if not self.step():
                    self.end_epoch()
            except _AbandonedError:
                self.leave()
        if trainer.store is not None and not self.saved:
            self.save(trainer.store)

    def enough(self) -> bool:
        """Is it done? If so, what is due at the end is made due first."""
        trainer = self.trainer
        if not (
            trainer.stop_reason
            or (self.steps is not None and trainer.step >= self.steps)
            or (self.epochs is not None and trainer.epoch >= self.epochs)
        ):
            return False
        if self.feed.open and self.feed.used and self.feed.ends():
            self.end_epoch()
        if trainer.recorded_step != trainer.step or (
            self.evaluates and trainer.evaluated_step != trainer.step
        ):
            self.evaluate()
        return True

    def begin_epoch(self) -> None:
        trainer = self.trainer
        self.find_parameters()
        for metric in (trainer.mean_loss, *trainer.metrics):
            metric.reset()
        trainer.callbacks.emit("on_epoch_start", trainer)
        self.feed.start(trainer.epoch, self.random_states if trainer.store is not None else lambda: None)

    def end_epoch(self) -> None:
        """Evaluate, let the schedule follow, write the line."""
        trainer = self.trainer
        if not self.feed.used:
            self.feed.finish()
        due = self.evaluates and self.evaluate_every.after_epoch(trainer.epoch + 1)  # type: ignore[union-attr]
        results = self.note("epoch", self.measure() if due and trainer.evaluated_step != trainer.step else {})
        if not self.val_monitored and trainer.judge(results):
            self.save_due = True
        if trainer.scheduler is not None and trainer.schedule_every == "epoch":
            self.schedule(results)
        trainer.epoch += 1
        self.feed.finish()
        self.saved = False
        trainer.callbacks.emit("on_epoch_end", trainer, results)
        every = trainer.checkpoint_every
        if every is not None and every.after_epoch(trainer.epoch):
            self.save_due = True

    def schedule(self, results: dict[str, Any]) -> None:
        trainer = self.trainer
        if isinstance(trainer.scheduler, ReduceLROnPlateau):
            monitor = trainer.best.monitor
            if monitor not in results:
                raise ArgumentError(
                    f"Trainer: ReduceLROnPlateau looks at {monitor!r}, which this epoch did not measure; "
                    "evaluate every epoch, or set monitor='loss'"
                )
            trainer.scheduler.step(results[monitor])
        elif trainer.scheduler is not None:
            trainer.scheduler.step()

    # --- one step -------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """One step of the optimizer, over as many batches as are accumulated. False where no batch was left."""
        trainer, feed = self.trainer, self.feed
        batch = feed.next()
        if batch is END:
            return False
        terms, mean = trainer.counting.terms, trainer.counting.reduction == "mean"
        scaled = mean and trainer.accumulate * trainer.shards > 1
        alone = trainer.accumulate == 1 and trainer.shards > 1  # its sum is divided at once
        for p in self.parameters:
            p.grad = None
        total, number, taken = 0.0, 0.0, 0
        while batch is not END:
            if trainer.shards > 1:
                value, count = self.side_by_side(batch, mean, alone)
            else:
                value, count = self.at_once(batch, scaled, terms)
            total += value * count if mean else value
            number += count
            trainer.samples += rows(batch)
            taken += 1
            if taken == trainer.accumulate:
                break
            batch = feed.next()
        if scaled and not alone:
            divide(self.parameters, number)
        self.move()
        trainer.mean_loss.total += total
        trainer.mean_loss.count += number
        trainer.loss = value if mean and taken == 1 else total / (number or 1)
        self.after_step()
        return True

    def at_once(self, batch: Any, scaled: bool, terms: Count) -> tuple[float, float]:
        """Forward and backward of one batch: its loss, and how many terms that is over."""
        trainer = self.trainer
        outputs, targets = trainer.forward(trainer.model, batch)
        loss = trainer.loss_fn(outputs, targets)
        if not isinstance(loss, Tensor):
            raise BatchError(f"Trainer: the loss must be a Tensor, not {type(loss).__name__}")
        value = loss.item()
        if not is_finite(value):
            raise self.not_finite("the loss", value)
        count = terms(outputs, targets)
        if scaled:
            add_gradient(loss, count)
        else:
            loss.backward()
        self.measure_training(outputs, targets)
        return value, count

    def side_by_side(self, batch: Any, mean: bool, alone: bool) -> tuple[float, float]:
        """The same in shards; the gradient of a batch that is `alone` in its step is that of the mean."""
        trainer = self.trainer

        def work(part: Any) -> tuple[Tensor, float, Any, Any]:
            outputs, targets = trainer.forward(trainer.model, part)
            loss = trainer.loss_fn(outputs, targets)
            if not isinstance(loss, Tensor):
                raise BatchError(f"Trainer: the loss must be a Tensor, not {type(loss).__name__}")
            count = trainer.counting.terms(outputs, targets)
            return loss, count, outputs if trainer.train_metrics else None, targets

        trained = [p for p in self.parameters if p.requires_grad]
        done = run_in_shards(work, batch, trained, trainer.shards, mean)
        for part in done:
            if not is_finite(part.loss):
                raise self.not_finite("the loss", part.loss)
        count = sum(part.terms for part in done)
        add_gradients_of(done, trained, count if mean and alone else 1.0)
        for part in done:
            self.measure_training(part.outputs, part.targets)
        if not mean:
            return sum(part.loss for part in done), count
        return sum(part.loss * part.terms for part in done) / (count or 1), count

    def measure_training(self, outputs: Any, targets: Any) -> None:
        if self.trainer.train_metrics:
            with no_grad():
                for metric in self.trainer.train_metrics:
                    metric.update(outputs, targets)

    def move(self) -> None:
        """Clip, step, and let schedule and average follow."""
        trainer = self.trainer
        if trainer.clip_norm is not None:
            trainer.grad_norm = clip_grad_norm_(self.moved, trainer.clip_norm).item()
            if not is_finite(trainer.grad_norm):
                raise self.not_finite("the gradient's norm", trainer.grad_norm)
        elif trainer.clip_value is not None:
            clip_grad_value_(self.moved, trainer.clip_value)
        trainer.callbacks.emit("on_before_step", trainer)
        trainer.optimizer.step()
        trainer.step += 1
        trainer.lr = trainer.optimizer.param_groups[0]["lr"]
        if trainer.scheduler is not None and trainer.schedule_every == "step":
            trainer.scheduler.step()
        if trainer.ema is not None:
            trainer.ema.update()

    def after_step(self) -> None:
        """What is due now: a line, an evaluation, a checkpoint."""
        trainer = self.trainer
        self.saved = False
        if trainer.log_every is not None and trainer.step % trainer.log_every == 0:
            self.log()
        every = self.evaluate_every
        if every is not None and self.val is not None:
            now = time.monotonic() if every.seconds is not None else 0.0
            self.evaluation_due |= every.after_step(trainer.step, now - self.evaluated_at)
        every = trainer.checkpoint_every
        if every is not None:
            now = time.monotonic() if every.seconds is not None else 0.0
            self.save_due |= every.after_step(trainer.step, now - self.saved_at)
        trainer.callbacks.emit("on_step_end", trainer)

    def not_finite(self, what: str, value: float) -> NonFiniteError:
        trainer = self.trainer
        return NonFiniteError(
            what, value, trainer.step, trainer.epoch, self.feed.used - 1, advice(what.removeprefix("the "))
        )

    # --- figures --------------------------------------------------------------------------------------------

    @property
    def evaluates(self) -> bool:
        return self.val is not None and self.evaluate_every is not None

    @property
    def val_monitored(self) -> bool:
        return self.trainer.best.monitor.startswith("val_")

    def measure(self) -> dict[str, Any]:
        """Evaluate on `val`: {"val_loss": ...}. A signal ends it, with all random states as before."""
        trainer = self.trainer
        before = self.random_states() if trainer.store is not None else None

        def look() -> None:
            if self.interrupts.asked:
                raise _AbandonedError

        try:
            found = trainer.measured(self.val, look)
        except _AbandonedError:
            if before is not None:
                random_states.restore(before, **held_by(trainer, self.feed, self.val))
            raise
        trainer.evaluated_step, self.evaluated_at = trainer.step, time.monotonic()
        results = {f"val_{name}": value for name, value in found.items()}
        if self.val_monitored and trainer.judge(results):
            self.save_due = True
        return results

    def evaluate(self) -> None:
        """A line in mid-epoch, with an evaluation where there is something to evaluate on."""
        wanted = self.evaluates and self.trainer.evaluated_step != self.trainer.step
        self.note("evaluate", self.measure() if wanted else {})
        self.evaluation_due = self.saved = False

    def note(self, kind: str, evaluated: dict[str, Any]) -> dict[str, Any]:
        """Write the line; returns the figures in it, with those of an evaluation at this very step."""
        trainer = self.trainer
        results = {"loss": trainer.mean_loss.compute()}
        results |= {metric.name: metric.compute() for metric in trainer.train_metrics}
        if not evaluated and trainer.evaluated_step == trainer.step:
            results |= {name: value for name, value in trainer.results.items() if name.startswith("val_")}
        results |= evaluated
        trainer.results = results
        trainer.recorded_step = trainer.step
        trainer.history.append(
            {
                "kind": kind,
                "step": trainer.step,
                "epoch": trainer.epoch,
                **results,
                "lr": trainer.lr,
                "seconds": self.clock(),
            }
        )
        if evaluated:
            trainer.callbacks.emit("on_evaluate_end", trainer, evaluated)
        return results

    def log(self) -> None:
        """The line of a single step."""
        trainer = self.trainer
        record: dict[str, Any] = {"kind": "step", "step": trainer.step, "epoch": trainer.epoch}
        record |= {"loss": trainer.loss, "lr": trainer.lr}
        if trainer.clip_norm is not None:
            record["grad_norm"] = trainer.grad_norm
        trainer.history.append(record | {"seconds": self.clock()})

    def clock(self) -> float:
        """Seconds of training so far, those before a resume included."""
        self.trainer.seconds = round(time.monotonic() - self.started, 3)
        return self.trainer.seconds

    # --- checkpoints ----------------------------------------------------------------------------------------

    def random_states(self) -> dict[str, Any]:
        return random_states.capture(**held_by(self.trainer, self.feed, self.val))

    def save(self, store: CheckpointStore) -> Path:
        """A checkpoint of this state, once all history is on the disk."""
        trainer = self.trainer
        self.clock()
        refuse_weights(trainer.model, trainer.step, trainer.epoch, self.feed.used)
        trainer.history.sync()
        place = trainer.place() | {"evaluation_due": self.evaluation_due}
        score = trainer.best.last if trainer.best.last_step == trainer.step else None
        path = store.save(capture(trainer, self.feed, self.val, place, self.bits), trainer.step, score)
        self.save_due, self.saved, self.saved_at = False, True, time.monotonic()
        trainer.callbacks.emit("on_checkpoint", trainer, path)
        return path

    def load(self, state: dict[str, Any]) -> None:
        """Go to where a checkpoint was written."""
        trainer = self.trainer
        place = restore(trainer, self.feed, self.val, state)
        trainer.set_place(place)
        self.evaluation_due, self.saved = place["evaluation_due"], True
        self.started = time.monotonic() - trainer.seconds

    def leave(self) -> None:
        """Save, and raise Interrupted."""
        trainer, number = self.trainer, self.interrupts.asked
        where = "; there is no place for a checkpoint (checkpoints=...)"
        if trainer.store is not None:
            if not self.saved:
                self.save(trainer.store)
            where = f"; saved in {trainer.store.folder}, go on with fit(..., resume=True)"
        raise Interrupted(f"fit: interrupted after step {trainer.step}{where}", number)
