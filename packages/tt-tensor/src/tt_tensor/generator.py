"""Generators: streams of random numbers with a seed, and which of them draws where none is named.

    generator = manual_seed(0)            # the process-wide default, seeded; returned for whoever wants it
    state = generator.get_state()         # plain numbers: JSON holds it

The same seed gives the same bits. A generator may be used from several threads: each draw is whole, only their order
is the threads' affair. For numbers that do not depend on that order, `spawn` one independent stream for each thread or
process.
"""

from __future__ import annotations

import operator
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.creation import integer
from tt_tensor.errors import ArgumentError, DTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Generator", "default_generator", "drawing_from", "live_generators", "manual_seed", "rng_of"]


class Generator:
    """A stream of random numbers: PCG64 (O'Neill 2014), seeded through NumPy's SeedSequence.

    Args:
        seed: an integer from 0 to 2⁶⁴ - 1; None draws one from the operating system.

    Raises DTypeError for a seed that is no integer, ArgumentError for one out of range.
    """

    rng: np.random.Generator
    """The NumPy generator underneath, for raw arrays."""

    seed: int
    """What it was seeded with; of a spawned stream, what its origin was seeded with."""

    def __init__(self, seed: int | None = None) -> None:
        if seed is None:
            seed = np.random.SeedSequence().entropy % 2**64  # type: ignore[operator,assignment]
        self.manual_seed(seed)  # type: ignore[arg-type]

    def manual_seed(self, seed: int) -> Generator:
        """Start again from `seed`; returns the generator."""
        self._start(check_seed(seed), (), 0)
        return self

    def _start(self, seed: int, key: tuple[int, ...], spawned: int) -> None:
        sequence = np.random.SeedSequence(seed, spawn_key=key, n_children_spawned=spawned)
        self.rng = np.random.Generator(np.random.PCG64(sequence))
        self.seed = seed
        _live.add(self)

    def spawn(self, n: int) -> list[Generator]:
        """`n` generators whose streams are independent of this one and of each other; this one draws nothing.

        Raises ArgumentError for a negative n.
        """
        if integer(n, "spawn", "n") < 0:
            raise ArgumentError(f"spawn: the number of streams, {n}, is negative")
        children = []
        for sequence in self._sequence.spawn(n):
            child = object.__new__(Generator)
            child._start(self.seed, tuple(sequence.spawn_key), 0)
            children.append(child)
        return children

    @property
    def _sequence(self) -> np.random.SeedSequence:
        return self.rng.bit_generator.seed_seq  # type: ignore[return-value]

    def get_state(self) -> dict[str, Any]:
        """Where the stream stands, as a dict of strings and integers (JSON holds it)."""
        bits = self.rng.bit_generator
        with bits.lock:
            state = bits.state
        return {
            "algorithm": state["bit_generator"],
            "seed": self.seed,
            "stream": [int(number) for number in self._sequence.spawn_key],
            "spawned": int(self._sequence.n_children_spawned),
            "state": int(state["state"]["state"]),
            "increment": int(state["state"]["inc"]),
            "half": [int(state["has_uint32"]), int(state["uinteger"])],
        }

    def set_state(self, state: Mapping[str, Any]) -> Generator:
        """Go on exactly where `get_state` was called; returns the generator.

        Raises ArgumentError for a dict that `get_state` did not make; the generator is then as it was.
        """
        try:
            if state["algorithm"] != "PCG64":
                raise ArgumentError(
                    f"set_state: the state is of {state['algorithm']!r}, this generator is PCG64"
                )
            half, rest = (operator.index(number) for number in state["half"])
            inner = {"state": operator.index(state["state"]), "inc": operator.index(state["increment"])}
            whole = {"bit_generator": "PCG64", "state": inner, "has_uint32": half, "uinteger": rest}
            seed, spawned = check_seed(state["seed"]), operator.index(state["spawned"])
            key = tuple(operator.index(number) for number in state["stream"])
            if not all(0 <= number < 2**128 for number in inner.values()) or half not in (0, 1):
                raise ArgumentError("set_state: the numbers of the state are out of range")
            fresh = object.__new__(Generator)
            fresh._start(seed, key, spawned)
            fresh.rng.bit_generator.state = whole
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, ArgumentError | DTypeError):
                raise
            raise ArgumentError(f"set_state: this is no state of a Generator: {error!r}") from error
        self.rng, self.seed = fresh.rng, fresh.seed
        return self

    def __repr__(self) -> str:
        stream = f", stream={list(self._sequence.spawn_key)}" if self._sequence.spawn_key else ""
        return f"Generator(seed={self.seed}{stream})"


def check_seed(seed: Any) -> int:
    """`seed` as an int from 0 to 2⁶⁴ - 1, or a typed error."""
    number = integer(seed, "manual_seed", "a seed")
    if not 0 <= number < 2**64:
        raise ArgumentError(f"manual_seed: a seed is from 0 to 2**64 - 1, not {number}")
    return number


_live: weakref.WeakSet[Generator] = weakref.WeakSet()


def live_generators() -> list[Generator]:
    """Every Generator that exists, the default one among them: where all randomness of a run stands."""
    default_generator()
    return list(_live)


_default: Generator | None = None
_lock = threading.Lock()


_drawing: ContextVar[Generator | None] = ContextVar("tt_tensor_generator", default=None)


def default_generator() -> Generator:
    """The generator that draws where none is named: one for the process, seeded by the operating system.

    Inside of `drawing_from` it is the one named there.
    """
    global _default
    here = _drawing.get()
    if here is not None:
        return here
    if _default is None:
        with _lock:
            _default = _default or Generator()  # late: it takes as long to import numpy.random as this wheel
    return _default


@contextmanager
def drawing_from(generator: Generator) -> Iterator[Generator]:
    """Make `generator` the default one inside the block, for this thread and task only.

    So that parts of a computation which run side by side draw numbers that do not depend on who comes first: give each
    a stream of its own, one of `default_generator().spawn(n)`.

    Raises DTypeError for what is no Generator.
    """
    if not isinstance(generator, Generator):
        raise DTypeError(
            f"drawing_from: takes a Generator, not {type(generator).__name__}; use Generator(seed)"
        )
    token = _drawing.set(generator)
    try:
        yield generator
    finally:
        _drawing.reset(token)


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, and return it.

    Raises DTypeError for a seed that is no integer, ArgumentError for one outside of 0 … 2⁶⁴ - 1.
    """
    return default_generator().manual_seed(seed)


def rng_of(generator: Any, what: str) -> np.random.Generator:
    """NumPy's generator under the one given, or under the default one. Raises DTypeError for what is none."""
    if generator is None:
        return default_generator().rng
    if isinstance(generator, Generator):
        return generator.rng
    if isinstance(generator, np.random.Generator):
        return generator
    raise DTypeError(f"{what}: generator is a Generator, not {type(generator).__name__}; use Generator(seed)")
