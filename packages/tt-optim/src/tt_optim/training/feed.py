"""Feed: the batches of training, epoch by epoch, from a position that can be saved and found again.

    a list, a Dataset ...           iterated anew in each epoch
    a function of no arguments      called in each epoch; returns an iterable (a generator, say)
    a one-shot iterator             a single epoch
    with set_epoch(n)               told the number of the epoch before it begins
    with state_dict(), load_state_dict()
                                    saved and resumed by itself, at the very next batch, as PyTorch's
                                    StatefulDataLoader

What has no state of its own is replayed on a resume: all random states are set to those at the start of the epoch, the
iterator is made anew, and the batches that were used already are drawn and dropped. A checksum of the last of them
tells whether they are the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tt_optim.training.batches import BatchError, batches_of, check_source, fingerprint
from tt_tensor.errors import TTError

__all__ = ["END", "EndOfDataError", "Feed", "ReplayError"]

END = object()
"""What stands for a batch where there is none."""


class EndOfDataError(TTError, RuntimeError):
    """The data ended before the training did."""


class ReplayError(TTError, ValueError):
    """The data cannot be brought to where it was when the checkpoint was written."""


class Feed:
    """Batches of one source.

    Raises BatchError or DTypeError for what gives no batches.
    """

    def __init__(self, source: Any) -> None:
        check_source("fit: train", source)
        self.source = source
        self.stateful = all(
            callable(getattr(source, name, None)) for name in ("state_dict", "load_state_dict")
        )
        self.one_shot = hasattr(source, "__next__")
        self.used = 0
        """How many batches of this epoch were given out."""
        self.last: Any = None
        """The last of them."""
        self.at_start: Any = None
        """All random states when the epoch began; of a source with its own state, None."""
        self.over = False
        """Whether the epoch that is under way has no batch left."""
        self._batches: Iterator[Any] | None = None
        self._begun = False
        self._ahead: Any = END

    @property
    def open(self) -> bool:
        """Whether an epoch is under way."""
        return self._batches is not None

    def start(self, epoch: int, capture: Callable[[], Any]) -> None:
        """Begin an epoch. Raises EndOfDataError for a second one of a one-shot iterator."""
        if self.one_shot and self._begun:
            raise EndOfDataError(
                f"fit: train is a one-shot iterator ({type(self.source).__name__}), which one epoch used up; pass a "
                "list, an object with __iter__, or a function that makes a new iterator: fit(lambda: batches(), ...)"
            )
        self.at_start = None if self.stateful else capture()
        self._begin(epoch)

    def _begin(self, epoch: int) -> None:
        for thing in (self.source, getattr(self.source, "sampler", None)):
            tell = getattr(thing, "set_epoch", None)
            if callable(tell):
                tell(epoch)
        self._batches = batches_of(self.source)
        self._begun = True
        self.used, self.last, self.over = 0, None, False

    def next(self) -> Any:
        """The next batch, or END."""
        if self.over:
            return END
        if self._ahead is not END:
            batch, self._ahead = self._ahead, END
        else:
            batch = next(self._batches, END)  # type: ignore[arg-type]
        if batch is END:
            self.over = True
            return END
        self.used += 1
        self.last = batch
        return batch

    def finish(self) -> None:
        """The epoch is over. Raises EndOfDataError where it had no batch at all."""
        used = self.used
        self.leave()
        if not used:
            raise EndOfDataError(
                "fit: train gave no batch in a whole epoch; is the iterable empty, or used up?"
            )

    def leave(self) -> None:
        """Let go of the iterator."""
        self._batches, self.used, self.last, self.at_start = None, 0, None, None
        self.over, self._ahead = False, END

    def length(self) -> int | None:
        """Batches in an epoch, where the source knows."""
        try:
            return len(self.source)
        except (TypeError, NotImplementedError):
            return None

    def ends(self) -> bool:
        """Whether the epoch has no batch left, as far as that is known without drawing one."""
        if not self.over and self._ahead is END and self.used == self.length():
            # The iterator is told to end, so that a source with a state does not take the epoch for unfinished.
            self._ahead = next(self._batches, END)  # type: ignore[arg-type]
            self.over = self._ahead is END
        return self.over

    # --- where it stands ------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The position: after the last batch that was given out."""
        state: dict[str, Any] = {
            "stateful": self.stateful,
            "used": self.used,
            "open": self.open,
            "over": self.over,
        }
        if self.stateful:
            state["source"] = self.source.state_dict()
        elif self.open and not self.over:
            state["at_start"], state["last"] = self.at_start, fingerprint(self.last)
        return state

    def load_state_dict(self, state: Mapping[str, Any], epoch: int, restore: Callable[[Any], None]) -> None:
        """Go to a saved position; `restore` sets the random states to those that it is given.

        The caller sets those of the checkpoint afterwards.

        Raises ReplayError where the source is of another kind now, ends earlier or gives other batches.
        """
        if state["stateful"] != self.stateful:
            then, now = ("had", "has none") if state["stateful"] else ("had none", "has one")
            raise ReplayError(
                f"fit: train {then} a state_dict() when the checkpoint was written, now it {now}; "
                "pass the same kind of loader"
            )
        self.leave()
        if self.stateful:
            self.source.load_state_dict(state["source"])
        if not state["open"]:
            return
        if state["over"]:  # all that is left of the epoch is its end
            self._batches, self.over, self.used = iter(()), True, state["used"]
            return
        self._refuse_begun()
        if not self.stateful:
            restore(state["at_start"])
        self._begin(epoch)
        if self.stateful:
            self.used = state["used"]
            return
        self.at_start = state["at_start"]
        for count in range(state["used"]):
            if self.next() is END:
                raise ReplayError(
                    f"fit: train ended after {count} batches, but {state['used']} of this epoch were used before the "
                    "checkpoint; is it the same data?"
                )
        if fingerprint(self.last) != state["last"]:
            raise ReplayError(
                f"fit: replayed from the start of epoch {epoch}, batch {state['used']} of train is not the one that it "
                "was. Is it the same data? Where the loader draws from the default generator batch by batch, in "
                "between the model's own draws, give it a Generator of its own, or state_dict() and load_state_dict()"
            )

    def _refuse_begun(self) -> None:
        if self.one_shot and self._begun:
            raise BatchError(
                "fit: train is a one-shot iterator that was used already; make a new one to resume"
            )
