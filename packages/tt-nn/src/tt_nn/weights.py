"""Weights in files: safetensors, which holds names, dtypes, shapes and bytes, and runs no code when it is read.

The format has no checksum, so `save` adds one of its own over all names, shapes and bytes, and `load` checks it
where it is there. Files of others load without it.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn.errors import WeightsError
from tt_nn.module import Module
from tt_tensor import Tensor
from tt_tensor.files import whole_file
from tt_tensor.tensor import as_array, wrap

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["load", "load_metadata", "save"]

DIGEST = "tt.sha256"
TIED = "tt.tied"


def save(
    weights: Module | Mapping[str, Any], path: str | PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a module's state, or any mapping of names to tensors, as a safetensors file.

    The file is written aside, flushed to the disk and renamed, so `path` holds the old weights or the new,
    never half of either. A tensor that is tied to several names is written once, under the first.

    Args:
        weights: a Module (its `state_dict()` is taken) or a mapping of names to Tensors or arrays.
        path: where to; by custom it ends in `.safetensors`.
        metadata: text to keep in the header, names to values.

    Raises WeightsError for names or values that the format cannot hold, OSError where the disk refuses; in
    both cases nothing is left behind.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save as serialize

    state = weights.state_dict() if isinstance(weights, Module) else weights
    if not isinstance(state, Mapping):
        raise WeightsError(
            f"save: expected a Module or a mapping of names to tensors, not {type(state).__name__}"
        )
    arrays, tied = _untie(state)
    header = dict(metadata or {})
    for key, value in header.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise WeightsError(f"save: metadata maps text to text, not {key!r} to {value!r}")
    if tied:
        header[TIED] = json.dumps(tied, sort_keys=True)
    header[DIGEST] = _digest(arrays)
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, "save: the folder of the weights does not exist; make it first", str(target.parent)
        )
    try:
        contents = serialize(arrays, metadata=header)
    except SafetensorError as error:
        raise WeightsError(f"save: the format cannot hold these weights: {error}") from error
    with whole_file(target) as file:  # not by the library, whose files only their owner can read
        file.write(contents)


def load(path: str | PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, for `module.load_state_dict(load(path))`.

    bfloat16, which NumPy does not have, comes as float32 (exactly). Names that `save` found tied come back
    under each name, on the same memory.

    Raises WeightsError that names the file and what is wrong with it: missing, truncated, corrupt, a dtype that a
    Tensor does not hold, or a digest that does not match.
    """
    with _open(path) as file:
        arrays = {}
        for name in file.keys():  # noqa: SIM118  (the handle has no other way)
            kind = file.get_slice(name).get_dtype()
            if kind == "BF16":
                arrays[name] = _bfloat16(Path(path), name)
                continue
            try:
                arrays[name] = as_array(file.get_tensor(name), name)
            except (TypeError, AttributeError) as error:
                raise WeightsError(
                    f"load: {path}: tensor {name!r} is {kind}, which a Tensor does not hold"
                ) from error
        header = file.metadata() or {}
    if DIGEST in header and header[DIGEST] != _digest(arrays):
        raise WeightsError(
            f"load: {path}: the contents do not match their digest, so the file was damaged after it was written; "
            "fetch or save it again"
        )
    found = {name: wrap(array) for name, array in arrays.items()}
    for name, first in _tied(header, path).items():
        if first not in found:
            raise WeightsError(f"load: {path}: {name!r} is tied to {first!r}, which is not in the file")
        found[name] = found[first]
    return found


def load_metadata(path: str | PathLike[str]) -> dict[str, str]:
    """The text in the header of a safetensors file (without what `save` keeps there for itself)."""
    with _open(path) as file:
        return {key: value for key, value in (file.metadata() or {}).items() if key not in (DIGEST, TIED)}


def _open(path: str | PathLike[str]) -> Any:
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        what = "is a folder, not a file" if Path(path).is_dir() else "does not exist"
        raise WeightsError(f"load: {path} {what}")
    try:
        return safe_open(path, framework="numpy")
    except SafetensorError as error:
        raise WeightsError(f"load: {path} is truncated, corrupt, or no safetensors file: {error}") from error


def _untie(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Contiguous arrays by name, each memory once, and the names that were left out with the one they share."""
    arrays: dict[str, Any] = {}
    tied: dict[str, str] = {}
    seen: dict[Any, str] = {}
    for name, value in state.items():
        if not isinstance(name, str):
            raise WeightsError(f"save: a tensor's name is text, not {name!r}")
        array = value.array if isinstance(value, Tensor) else as_array(value, f"save: {name}")
        key = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str)
        if array.size and key in seen:
            tied[name] = seen[key]
        else:
            seen[key] = name
            arrays[name] = np.ascontiguousarray(array).reshape(array.shape)
    return arrays, tied


def _tied(header: Mapping[str, str], path: Any) -> dict[str, str]:
    try:
        tied = json.loads(header.get(TIED, "{}"))
        if isinstance(tied, dict) and all(isinstance(first, str) for first in tied.values()):
            return tied
    except ValueError:
        pass
    raise WeightsError(f"load: {path}: the list of tied names in its header cannot be read")


def _digest(arrays: Mapping[str, Any]) -> str:
    """sha256 over names, dtypes, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.size else b"")
    return digest.hexdigest()


def _bfloat16(path: Path, name: str) -> Any:
    """One bfloat16 tensor as float32: its 16 bits are the upper half of a float32."""
    # The library has validated the header by now; it just has no NumPy dtype to hand the bytes over in.
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length))[name]
        start, end = entry["data_offsets"]
        file.seek(8 + length + start)
        halves = np.frombuffer(file.read(end - start), np.dtype("<u2"))
    return (halves.astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])
