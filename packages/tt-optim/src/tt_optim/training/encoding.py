"""A nested state as a JSON document, with its arrays beside it.

What JSON has is itself: None, bools, text, finite floats (Python writes the shortest digits that give the same
bits back), integers below 2**63, lists, dicts with text for keys. The rest is an object with one key:

    {"$tuple": [...]}                           a tuple
    {"$dict": [[key, value], ...]}              a dict with keys that are integers or begin with "$"
    {"$int": "-0x1f"}                           an integer of any size
    {"$float": "7ff8000000000000"}              inf or nan: the bits of a double
    {"$str": "eda080"}                          text with lone surrogates: UTF-8 that lets them pass
    {"$scalar": ["<f4", "0000c03f"]}            a NumPy scalar: dtype and bytes
    {"$array": ["loader/order", "<i8", [60]]}   an array: its name in the file, dtype, shape
    {"$tensor": ["model/0.weight", "<f4", [2, 3]]}

Every state has exactly one document, so whoever reads one can encode it again and compare.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tt_optim.training.errors import StateError
from tt_tensor import Tensor
from tt_tensor.dtypes import check_dtype

__all__ = ["STORED", "Slot", "decode", "encode"]

MAX_DEPTH = 64

STORED = {
    "b1": ("BOOL", 1),
    "i1": ("I8", 1),
    "u1": ("U8", 1),
    "i2": ("I16", 1),
    "u2": ("U16", 1),
    "f2": ("F16", 1),
    "i4": ("I32", 1),
    "u4": ("U32", 1),
    "f4": ("F32", 1),
    "i8": ("I64", 1),
    "u8": ("U64", 1),
    "f8": ("F64", 1),
    "c8": ("F32", 2),
    "c16": ("F64", 2),
}
"""NumPy's kind and size → the dtype in the file, and how many of those one element takes (complex: two)."""

TAGS = ("$array", "$tensor")
RESERVED = ("__metadata__", "tt.sha256")


@dataclass(frozen=True)
class Slot:
    """The place of one array in a state: all that a document says of it, and the array if it is at hand."""

    tag: str
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    array: np.ndarray | None = None


def encode(state: Any) -> tuple[str, list[Slot]]:
    """The document of `state`, and the slots of its arrays in the order of the document.

    The state may hold Slots for arrays, as `decode` puts them there.

    Raises StateError that names the place of what cannot be encoded, or of a nesting that is deeper than 64
    levels (or has no end).
    """
    encoder = _Encoder()
    tree = encoder.encode(state, ())
    return json.dumps(tree, separators=(",", ":"), allow_nan=False), encoder.slots


def decode(document: str, leaf: Callable[[Slot], Any]) -> Any:
    """The state of a document, with `leaf(slot)` for every array.

    It only promises not to run away: what it makes of a document that `encode` did not write may be nonsense,
    or any of ValueError, TypeError, IndexError, ArithmeticError, RecursionError and struct.error.
    """
    return _decode(json.loads(document), leaf)


@dataclass
class _Encoder:
    slots: list[Slot] = field(default_factory=list)
    names: set[str] = field(default_factory=lambda: set(RESERVED))

    def encode(self, value: Any, where: tuple[Any, ...]) -> Any:
        if len(where) > MAX_DEPTH:
            raise StateError(
                f"{_told(where[:8])}… is nested deeper than {MAX_DEPTH} levels, or contains itself; flatten it"
            )
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if _is_short(value) else {"$int": hex(value)}
        if kind is float:
            return value if math.isfinite(value) else {"$float": struct.pack(">d", value).hex()}
        if kind is str:
            return value if _is_plain(value) else {"$str": value.encode("utf-8", "surrogatepass").hex()}
        if kind is list:
            return [self.encode(item, (*where, index)) for index, item in enumerate(value)]
        if kind is tuple:
            return {"$tuple": [self.encode(item, (*where, index)) for index, item in enumerate(value)]}
        if isinstance(value, Mapping):
            return self.encode_mapping(value, where)
        if isinstance(value, Tensor):
            # A Tensor is in the byte order of the machine that reads it.
            dtype = _little(check_dtype(value.array.dtype, _told(where)))
            return self.place(Slot("$tensor", "", dtype, value.array.shape, value.array), where)
        if kind in (np.ndarray, np.memmap):
            return self.place(Slot("$array", "", value.dtype, value.shape, value), where)
        if kind is Slot:
            return self.place(value, where)
        if isinstance(value, np.generic) and value.dtype.str[1:] in STORED:
            dtype = _little(value.dtype)
            return {"$scalar": [dtype.str, np.array(value, dtype).tobytes().hex()]}
        raise StateError(
            f"{_told(where)} is of type {kind.__module__}.{kind.__qualname__}, which a checkpoint does not hold; "
            "it holds dicts, lists, tuples, text, numbers, None, arrays and Tensors, so save what is needed to "
            "make it again"
        )

    def encode_mapping(self, value: Mapping[Any, Any], where: tuple[Any, ...]) -> Any:
        for key in value:
            if type(key) not in (str, int):
                raise StateError(
                    f"{_told(where)} has the key {key!r} of type {type(key).__name__}; keys are text or integers"
                )
        pairs = [(key, self.encode(item, (*where, key))) for key, item in value.items()]
        if all(type(key) is str and not key.startswith("$") and _is_plain(key) for key in value):
            return dict(pairs)
        return {"$dict": [[self.encode(key, where), item] for key, item in pairs]}

    def place(self, slot: Slot, where: tuple[Any, ...]) -> Any:
        if slot.dtype.str[1:] not in STORED:
            raise StateError(
                f"{_told(where)} is an array of dtype {slot.dtype}, which a checkpoint does not hold; it holds "
                "bools, integers of 8 to 64 bits, floats of 16 to 64, complex numbers of 64 and 128"
            )
        dtype = _little(slot.dtype) if slot.tag == "$tensor" else slot.dtype
        found = Slot(slot.tag, self.name(where), dtype, slot.shape, slot.array)
        self.slots.append(found)
        return {found.tag: [found.name, dtype.str, list(found.shape)]}

    def name(self, where: tuple[Any, ...]) -> str:
        """A readable name that no other array has: the keys on the way to it, as in model/0.weight."""
        text = "/".join(map(_step, where)).encode("utf-8", "backslashreplace").decode()
        name, count = text, 1
        while name in self.names:
            count += 1
            name = f"{text}~{count}"
        self.names.add(name)
        return name


def _decode(tree: Any, leaf: Callable[[Slot], Any]) -> Any:
    if type(tree) is list:
        return [_decode(item, leaf) for item in tree]
    if type(tree) is not dict:
        return tree
    if len(tree) == 1:
        ((tag, content),) = tree.items()
        if tag == "$tuple":
            return tuple([_decode(item, leaf) for item in content])
        if tag == "$dict":
            return {_decode(key, leaf): _decode(item, leaf) for key, item in content}
        if tag == "$int":
            return int(content, 16)
        if tag == "$float":
            return struct.unpack(">d", bytes.fromhex(content))[0]
        if tag == "$str":
            return bytes.fromhex(content).decode("utf-8", "surrogatepass")
        if tag == "$scalar":
            dtype, content = content
            (scalar,) = np.frombuffer(bytes.fromhex(content), _dtype(dtype))
            return scalar
        if tag in TAGS:
            return leaf(_slot(tag, *content))
    return {key: _decode(item, leaf) for key, item in tree.items()}


def _slot(tag: str, name: str, dtype: str, shape: list[int]) -> Slot:
    if type(name) is not str or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"{name!r} has the shape {shape!r}")
    found = _dtype(dtype)
    if tag == "$tensor":
        check_dtype(found)
    return Slot(tag, name, found, tuple(shape))


def _dtype(text: str) -> np.dtype[Any]:
    if text[1:] not in STORED:
        raise ValueError(f"the dtype {text!r} is none that a checkpoint holds")
    return np.dtype(text)


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<")


def _is_plain(text: str) -> bool:
    """Whether JSON gives it back: two lone surrogates side by side would come back as one character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _told(where: tuple[Any, ...]) -> str:
    """The place in the state as one would write it: state["optimizer"]["state"][0]."""
    return "state" + "".join(f"[{json.dumps(key) if type(key) is str else _step(key)}]" for key in where)


def _step(key: str | int) -> str:
    return key if isinstance(key, str) else str(key) if _is_short(key) else hex(key)


def _is_short(value: int) -> bool:
    """Whether it has few digits: Python makes no text of more than 4,300, and reads none."""
    return -(2**63) < value < 2**63
