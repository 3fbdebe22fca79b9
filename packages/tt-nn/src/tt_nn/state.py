"""The state dict of a module: name → Tensor, under PyTorch's names, loaded all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tt_nn.errors import StateDictError
from tt_tensor import Tensor
from tt_tensor.tensor import wrap

if TYPE_CHECKING:
    from tt_nn.module import Module

__all__ = ["IncompatibleKeys", "StateMethods"]


class IncompatibleKeys(NamedTuple):
    """What did not match when loading with `strict=False`."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class StateMethods:
    """Saving and loading the state of a Module."""

    def state_dict(self: Module, prefix: str = "") -> dict[str, Tensor]:  # type: ignore[misc]
        """Every parameter and persistent buffer by its dotted name: the same memory, without history.

        A tensor that is tied to several names stands under each, as in PyTorch.
        """
        return {prefix + name: wrap(tensor.array) for name, tensor in _state(self)}

    def load_state_dict(  # type: ignore[misc]
        self: Module, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the values of `state_dict` (Tensors, arrays, or PyTorch's tensors) into this module.

        Nothing is changed unless everything fits. With `strict=False`, missing and unexpected names are
        returned instead of refused; shapes must fit all the same. Of names that are tied to one tensor, one
        suffices; what a module says that a state `may_lack` stays as it is. With `assign`, floating tensors take the
        dtype that is given, as `Module.to` would; make the optimizer afterwards.

        Raises StateDictError that lists all missing, unexpected and mis-shaped names.
        """
        if not isinstance(state_dict, Mapping):
            raise StateDictError(
                f"load_state_dict: expected a mapping of names to tensors, not {type(state_dict).__name__}"
            )
        own = dict(_state(self))
        given = {id(own[name]) for name in state_dict if name in own}
        given |= {id(getattr(part, name, None)) for part in self.modules() for name in part.may_lack}
        missing = [name for name, tensor in own.items() if name not in state_dict and id(tensor) not in given]
        unexpected = [name for name in state_dict if name not in own]
        wrong: list[str] = []
        values: list[tuple[Tensor, Any]] = []
        for name, tensor in own.items():
            if name not in state_dict:
                continue
            value = state_dict[name]
            try:
                array = value.array if isinstance(value, Tensor) else np.asarray(value)
            except (TypeError, ValueError, RuntimeError) as error:  # what NumPy and PyTorch raise
                wrong.append(f"{name}: {type(value).__name__} cannot be read as an array ({error})")
                continue
            if array.shape != tensor.shape:
                wrong.append(f"{name}: {array.shape} given, {tensor.shape} here")
            elif not np.can_cast(array.dtype, tensor.dtype, "same_kind"):
                wrong.append(f"{name}: {array.dtype} given, {tensor.dtype} here")
            else:
                # A copy where both show the same memory, so that no write changes what is still to be read.
                values.append((tensor, array.copy() if np.may_share_memory(array, tensor.array) else array))
        faults = [("wrong shape or dtype", wrong)]
        if strict:
            faults += [("missing", missing), ("unexpected", unexpected)]
        if any(names for _, names in faults):
            listed = "; ".join(f"{what}: {', '.join(map(str, names))}" for what, names in faults if names)
            hint = "" if wrong else " (strict=False loads what matches)"
            raise StateDictError(
                f"load_state_dict into {type(self).__name__}: {listed}{hint}; nothing was loaded"
            )
        for tensor, array in values:
            if assign and array.dtype != tensor.dtype and {array.dtype.char, tensor.dtype.char} <= set("efd"):
                tensor.grad = None
                tensor.array = np.array(array)
            else:
                tensor.write(array)
        return IncompatibleKeys(missing, unexpected)


def _state(module: Module) -> list[tuple[str, Tensor]]:
    """Parameters and persistent buffers under every name that leads to them, module by module."""
    found: list[tuple[str, Tensor]] = []
    for path, part in module._paths():
        dot = f"{path}." if path else ""
        found += [(dot + name, parameter) for name, parameter in part._own_parameters()]
        persistent = part._buffers or {}
        found += [(dot + name, buffer) for name, buffer in part._own_buffers() if persistent[name]]
    return found
