"""Where an epoch stands: enough to go on with the very next batch, in plain numbers and text."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tt_data.errors import LoaderStateError

__all__ = ["Position", "Share", "check", "checksum"]


@dataclass
class Share:
    """How far one worker's stream is; without workers there is one."""

    used: int = 0
    """Batches that were given out."""
    over: bool = False
    """Whether there are no more."""
    state: Any = None
    """The stream's own, behind the last of them; None where it has none."""


@dataclass
class Position:
    """An epoch that is under way."""

    epoch_seed: int
    used: int = 0
    """Batches that were given out."""
    last: int | None = None
    """A checksum of the indices of the last of them."""
    generators: list[Any] = field(default_factory=list)
    """States of the sampler's own generators, when the epoch began."""
    sampler: Any = None
    """The state of a sampler that has one, behind the last batch."""
    over: bool = False
    """Whether a sampler with a state has told that there is no further batch."""
    turn: int = 0
    """The worker whose stream is next."""
    shares: list[Share] = field(default_factory=list)
    """Of a dataset that is a stream: one for each worker."""
    given: tuple[Any] | None = None
    """The indices of the last batch, until somebody asks for their checksum."""

    def state(self) -> dict[str, Any]:
        """As a dict that JSON holds, if what samplers and streams tell does."""
        if self.given is not None:
            self.last, self.given = checksum(*self.given), None
        state = asdict(self)
        del state["given"]
        return state

    @classmethod
    def of(cls, state: Any) -> Position:
        """The other way. Raises LoaderStateError for what `state()` did not make."""
        try:
            known = dict(state)
            shares = [Share(**share) for share in known.pop("shares")]
            found = cls(**known, shares=shares, given=None)
            numbers = [found.epoch_seed, found.used, found.turn, *[share.used for share in shares]]
            if not all(type(number) is int and 0 <= number < 2**64 for number in numbers):
                raise ValueError(f"its numbers are {numbers}")
            if not isinstance(found.generators, list) or (shares and found.turn >= len(shares)):
                raise ValueError("it does not fit together")
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise LoaderStateError(f"load_state_dict: this is no state of a DataLoader: {error}") from error
        return found


def checksum(indices: Any) -> int:
    """Of a batch of indices: is it the same one?"""
    return zlib.crc32(repr(indices).encode())


def check(state: Any, wanted: Mapping[str, Any]) -> None:
    """Raise LoaderStateError where the state is of a loader that is made in another way."""
    if not isinstance(state, Mapping) or state.get("format") != 1 or "epoch" not in state:
        raise LoaderStateError("load_state_dict: this is no state of a DataLoader of this version")
    made = state.get("loader")
    differing = [
        f"{name} {made.get(name)!r} then, {value!r} now"
        for name, value in wanted.items()
        if isinstance(made, Mapping) and made.get(name) != value
    ]
    if differing or not isinstance(made, Mapping):
        raise LoaderStateError(
            f"load_state_dict: the state is of another loader: {'; '.join(differing) or 'it tells nothing'}"
        )
