"""The random numbers of a batch: they follow from the seed of the epoch and the number of the batch, nothing else.

    streams = Streams(dataset, collate_fn)
    with streams.lent(epoch_seed, batch):         in the main process: seeded for this batch, and put back
        fetch the batch
    streams.seed(epoch_seed, batch)               in a worker process, whose streams are its own

So it does not matter which worker fetches a batch, whether there are workers at all, or whether the epoch was begun in
another process. Seeded are the default generator of tt_tensor; the generators that the dataset and its transforms hold;
and, where code takes part that is not of a tt wheel, Python's `random` and NumPy's legacy `np.random`. A generator that
cannot be reached from the dataset (one that a C extension keeps, say) is not seeded.
"""

from __future__ import annotations

import functools
import os
import random
import struct
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import blake2b
from typing import Any

import numpy as np

from tt_tensor import Generator, Tensor, default_generator

__all__ = ["Streams", "generator_state", "mix", "set_generator_state"]

LARGE = 1000
"""A container of more than this is data, not structure, and is not searched."""

_lock = threading.RLock()
"""One fetch at a time in this process: two that put streams back in another order would mix them up."""


def _new_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def mix(*numbers: int) -> int:
    """A seed of 64 bits from integers of 64 bits: BLAKE2b of them, so that near ones give unrelated seeds."""
    packed = struct.pack(f"<{len(numbers)}Q", *numbers)
    return int.from_bytes(blake2b(packed, digest_size=8).digest(), "little")


class Streams:
    """All generators that code reachable from `roots` draws from, `but` what is in the way."""

    def __init__(self, *roots: Any, but: tuple[Any, ...] = ()) -> None:
        search = _Search(roots, but)
        self.held: list[Any] = search.found
        """Those that belong to something among the roots, in the order in which they are found."""
        self.foreign = search.foreign
        """Whether code of others takes part."""
        # What is of this wheel alone, such as a TensorDataset without transforms, draws nothing.
        self.all = [default_generator(), *self.held] if search.draws or self.held else []
        self.all += legacy() if self.foreign else []

    def shared(self) -> list[Any]:
        """Let only what all share be seeded, that at any rate; returns what the roots hold."""
        self.all = [default_generator(), *(legacy() if self.foreign else [])]
        return self.held

    def seed(self, *key: int) -> None:
        """Seed every stream from `key` and its place in the list."""
        for at, generator in enumerate(self.all):
            _seed(generator, mix(*key, at))

    def lent(self, *key: int) -> AbstractContextManager[None]:
        """Inside, every stream is seeded from `key`; afterwards each goes on where it was."""
        return self._lent(key) if self.all else nullcontext()

    @contextmanager
    def _lent(self, key: tuple[int, ...]) -> Iterator[None]:
        with _lock:
            before = [(generator, _saved(generator)) for generator in self.all]
            try:
                self.seed(*key)
                yield
            finally:
                for generator, saved in before:
                    _put_back(generator, saved)


def legacy() -> list[Any]:
    """The generators of Python's `random` and NumPy's `np.random`, whose methods the functions of these modules are."""
    return [random.seed.__self__, np.random.uniform.__self__]  # type: ignore[attr-defined]


def _seed(generator: Any, seed: int) -> None:
    if isinstance(generator, Generator):
        generator.manual_seed(seed)
    elif isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        bits.state = type(bits)(seed).state  # type: ignore[call-arg]
    elif isinstance(generator, np.random.RandomState):
        generator.seed(seed % 2**32)
    else:
        generator.seed(seed)


def _saved(generator: Any) -> Any:
    if isinstance(generator, Generator):
        return generator.rng, generator.seed
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return generator.getstate()


def _put_back(generator: Any, saved: Any) -> None:
    if isinstance(generator, Generator):
        generator.rng, generator.seed = saved
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = saved
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(saved)
    else:
        generator.setstate(saved)


# --- a generator's state as numbers and text that JSON holds ------------------------------------------------


def generator_state(generator: Any) -> Any:
    """Where a generator of any of the four kinds stands."""
    if isinstance(generator, Generator):
        return generator.get_state()
    state = _saved(generator)
    return _plain([state[0], list(state[1]), state[2]] if isinstance(generator, random.Random) else state)


def set_generator_state(generator: Any, state: Any) -> None:
    """The other way. Raises ValueError, TypeError or KeyError for a state of another kind."""
    if isinstance(generator, Generator):
        generator.set_state(state)
    elif isinstance(generator, random.Random):
        generator.setstate((state[0], tuple(state[1]), state[2]))
    else:
        _put_back(generator, _shaped(state, _saved(generator)))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _shaped(value: Any, model: Any) -> Any:
    """Lists as the arrays that stand in their places in `model`."""
    if isinstance(model, Mapping):
        return {key: _shaped(value[key], part) for key, part in model.items()}
    return np.array(value, model.dtype) if isinstance(model, np.ndarray) else value


# --- which generators there are -----------------------------------------------------------------------------

_GENERATORS = (Generator, np.random.Generator, np.random.RandomState, random.Random)
_DATA = (str, bytes, int, float, complex, np.ndarray, np.generic, Tensor, type, types.ModuleType)


class _Search:
    """Generators among the attributes of things, and of what these refer to; in closures and globals of functions."""

    def __init__(self, roots: tuple[Any, ...], but: tuple[Any, ...]) -> None:
        self.found: list[Any] = []
        self.foreign = self.draws = False
        # What is seen is kept alive, so that no id is given twice.
        kept: list[Any] = [default_generator(), *legacy()]
        seen = {id(default_generator()), *map(id, but)}
        stack = list(reversed(roots))
        while stack:
            thing = stack.pop()
            if thing is None or isinstance(thing, _DATA) or id(thing) in seen:
                continue
            seen.add(id(thing))
            kept.append(thing)
            if any(thing is generator for generator in kept[1:3]):
                self.foreign = self.draws = True
            elif isinstance(thing, _GENERATORS):
                self.found.append(thing)
            else:
                stack += reversed(list(self.parts(thing)))

    def parts(self, thing: Any) -> Iterator[Any]:
        """What a thing refers to. No code of the thing itself runs."""
        if type(thing) in (list, tuple, dict):
            if len(thing) <= LARGE:
                yield from thing.values() if type(thing) is dict else thing
        elif isinstance(thing, functools.partial):
            yield from (thing.func, thing.args, thing.keywords)
        elif isinstance(thing, types.MethodType):
            yield from (thing.__self__, thing.__func__)
        elif isinstance(thing, types.BuiltinMethodType):
            yield thing.__self__
        elif isinstance(thing, types.GeneratorType):
            self.foreign = self.draws = True
        elif isinstance(thing, types.FunctionType):
            self.meet(thing.__module__)
            yield from _of_function(thing)
        else:
            self.meet(type(thing).__module__)
            yield from getattr(thing, "__dict__", {}).values()
            for kind in type(thing).__mro__:
                if not _ours(kind.__module__) and kind is not object:
                    yield from _of_class(thing, kind)

    def meet(self, module: str | None) -> None:
        """Note that code of this module takes part."""
        ours = _ours(module)
        self.foreign |= not ours
        self.draws |= not ours or not (module or "").startswith(("tt_data.", *_NEVER_DRAW))


_NEVER_DRAW = ("numpy", "builtins", "functools", "collections")


def _ours(module: str | None) -> bool:
    """Whether code of this module draws from no generator but those of tt_tensor, or ones that it is given."""
    top = (module or "").partition(".")[0]
    return top.startswith("tt_") or top == "numpy" or top in sys.stdlib_module_names


def _of_class(thing: Any, kind: type) -> Iterator[Any]:
    """What stands in the slots of a thing; what its class and its methods refer to."""
    slots = kind.__dict__.get("__slots__", ())
    for name in (slots,) if isinstance(slots, str) else slots:
        if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
            yield getattr(thing, name)
    for value in kind.__dict__.values():
        if isinstance(value, (types.FunctionType, *_GENERATORS)):
            yield value


def _of_function(function: types.FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    yield function.__defaults__
    yield function.__kwdefaults__
    # Of the globals only generators, and functions of the same file: all else in a script is not the function's own.
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, _GENERATORS) or (
            isinstance(value, types.FunctionType) and value.__module__ == function.__module__
        ):
            yield value
