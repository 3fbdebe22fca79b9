"""Every random state that training may draw from, as numbers and text that JSON holds.

The process-wide ones: tt_tensor's default generator, Python's `random`, NumPy's legacy global state. And those that
somebody holds: generators among the attributes of the model, of the loader, of what they refer to in turn; and in the
closure, the defaults and the globals of the functions that make batches, methods among them.
"""

from __future__ import annotations

import functools
import random
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tt_tensor import Generator, Tensor, default_generator
from tt_tensor.errors import ArgumentError

__all__ = ["capture", "held", "restore", "seed_all"]

LARGE = 1000
"""A list longer than this is data, not structure, and is not searched."""


def seed_all(seed: int) -> None:
    """Seed tt_tensor's default generator, Python's `random` and NumPy's legacy global state."""
    default_generator().manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (loaders of others draw from it)


def capture(**roots: Any) -> dict[str, Any]:
    """All random states as they are now; `roots` are searched for generators of their own."""
    return {
        "default": default_generator().get_state(),
        "python": _listed(random.getstate()),
        "numpy": _plain(np.random.get_state(legacy=False)),  # noqa: NPY002
        "held": {name: _state(generator) for name, generator in held(**roots).items()},
    }


def restore(states: Mapping[str, Any], **roots: Any) -> None:
    """Go on where `capture` was called.

    Raises ArgumentError that names the generators which are held now and were not then, or the other way round.
    """
    generators = held(**roots)
    if set(generators) != set(states["held"]):
        gone = sorted(set(states["held"]) - set(generators))
        new = sorted(set(generators) - set(states["held"]))
        raise ArgumentError(
            f"the random generators differ: {', '.join(gone) or 'none'} of the checkpoint found no counterpart, "
            f"{', '.join(new) or 'none'} here has none in the checkpoint; build model and loader as they were"
        )
    default_generator().set_state(states["default"])
    random.setstate(_tupled(states["python"]))
    np.random.set_state(_arrays(states["numpy"]))  # noqa: NPY002
    for name, generator in generators.items():
        _set(generator, states["held"][name], name)


def held(**roots: Any) -> dict[str, Any]:
    """The generators that can be reached from `roots`, each once, under the path that leads to it.

    They are tt_tensor's, NumPy's (Generator, RandomState) and Python's (random.Random).
    """
    found: dict[str, Any] = {}
    seen: set[int] = {id(default_generator())}
    # What is seen is kept alive, so that no id is given twice.
    kept: list[Any] = []
    stack = [(name, root) for name, root in reversed(roots.items())]
    while stack:
        path, thing = stack.pop()
        if thing is None or isinstance(thing, _LEAVES) or id(thing) in seen:
            continue
        seen.add(id(thing))
        kept.append(thing)
        if isinstance(thing, _GENERATORS):
            found[path] = thing
        else:
            stack += reversed([(f"{path}.{name}", part) for name, part in _parts(thing)])
    return found


_GENERATORS = (Generator, np.random.Generator, np.random.RandomState, random.Random)
_LEAVES = (str, bytes, int, float, complex, np.ndarray, np.generic, Tensor, type, types.ModuleType)


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    """What a thing refers to, by name. No code of the thing itself runs: a loader that is a list may load."""
    if isinstance(thing, list) and list.__len__(thing) <= LARGE:
        yield from ((str(index), value) for index, value in enumerate(list.__iter__(thing)))
    elif isinstance(thing, tuple) and tuple.__len__(thing) <= LARGE:
        yield from ((str(index), value) for index, value in enumerate(tuple.__iter__(thing)))
    elif isinstance(thing, dict) and dict.__len__(thing) <= LARGE:
        yield from ((str(key), value) for key, value in dict.items(thing))
    if isinstance(thing, functools.partial):
        yield from (("func", thing.func), ("args", thing.args), ("keywords", thing.keywords))
    elif isinstance(thing, types.MethodType):
        yield from (("self", thing.__self__), ("func", thing.__func__))
    elif isinstance(thing, types.FunctionType):
        yield from _of_function(thing)
    else:
        yield from getattr(thing, "__dict__", {}).items()
        for kind in type(thing).__mro__:
            if not _of_a_library(kind):
                yield from _of_class(thing, kind)


def _of_a_library(kind: type) -> bool:
    top = kind.__module__.partition(".")[0]
    return top in sys.stdlib_module_names or top == "numpy" or top.startswith("tt_")


def _of_class(thing: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """What stands in the slots of a thing, and generators in its class: attributes, and what methods refer to."""
    slots = kind.__dict__.get("__slots__", ())
    for name in (slots,) if isinstance(slots, str) else slots:
        if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
            yield name, getattr(thing, name)
    for name, value in kind.__dict__.items():
        if isinstance(value, (types.FunctionType, *_GENERATORS)):
            yield name, value


def _of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            continue
    yield "defaults", function.__defaults__
    yield "kwdefaults", function.__kwdefaults__
    # Of the globals only generators themselves: everything else in a script is not the function's own.
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, _GENERATORS):
            yield name, value


# --- one generator as plain values --------------------------------------------------------------------------


def _state(generator: Any) -> dict[str, Any]:
    if isinstance(generator, Generator):
        return {"kind": "tt_tensor.Generator", "state": generator.get_state()}
    if isinstance(generator, np.random.Generator):
        return {"kind": "numpy.Generator", "state": _plain(generator.bit_generator.state)}
    if isinstance(generator, np.random.RandomState):
        return {"kind": "numpy.RandomState", "state": _plain(generator.get_state(legacy=False))}
    return {"kind": "random.Random", "state": _listed(generator.getstate())}


def _set(generator: Any, saved: Mapping[str, Any], name: str) -> None:
    kind, state = saved["kind"], saved["state"]
    if kind != _state(generator)["kind"]:
        raise ArgumentError(f"{name} was a {kind} when the checkpoint was written, now it is {generator!r}")
    if isinstance(generator, Generator):
        generator.set_state(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = _arrays(state)
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(_arrays(state))
    else:
        generator.setstate(_tupled(state))


def _plain(value: Any) -> Any:
    """A state of NumPy's in numbers and text; the words of a Mersenne Twister are one text, "uint32:" and hex."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return f"{value.dtype.name}:{value.astype(value.dtype.newbyteorder('<')).tobytes().hex()}"
    return value.item() if isinstance(value, np.generic) else value


def _arrays(value: Any) -> Any:
    """The other way."""
    if isinstance(value, Mapping):
        return {key: _arrays(part) for key, part in value.items()}
    if isinstance(value, str) and ":" in value:
        name, _, digits = value.partition(":")
        return np.frombuffer(bytes.fromhex(digits), np.dtype(name).newbyteorder("<")).astype(name)
    return value


def _listed(state: tuple[Any, ...]) -> list[Any]:
    version, numbers, gauss = state
    return [version, _plain(np.array(numbers, np.uint32)), gauss]


def _tupled(state: list[Any]) -> tuple[Any, ...]:
    version, numbers, gauss = state
    return version, tuple(_arrays(numbers).tolist()), gauss
