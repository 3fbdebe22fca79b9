"""Sequential, ModuleList, ModuleDict: modules that hold modules under names of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tt_nn.module import Module
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


def _check(module: Any, where: str) -> Module:
    if not isinstance(module, Module):
        kind = (
            module.__name__ + " (the class; make an instance)" if isinstance(module, type) else repr(module)
        )
        raise DTypeError(f"{where} holds modules, not {kind}")
    return module


class _Numbered(Module):
    """Modules in a row, named "0", "1", …"""

    def __init__(self, modules: Iterable[Any] = ()) -> None:
        self._list = [_check(module, type(self).__name__) for module in modules]

    def _parts(self) -> Iterator[tuple[str, Any]]:
        for name, value in super()._parts():
            if name == "_list":
                yield from ((str(index), module) for index, module in enumerate(value))
            else:
                yield name, value

    def __len__(self) -> int:
        return len(self._list)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._list)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)._from(self._list[index])
        try:
            return self._list[index]
        except IndexError as error:
            raise IndexingError(f"{type(self).__name__}: no module {index} among {len(self)}") from error

    def __setitem__(self, index: int, module: Module) -> None:
        self[index]
        self._list[index] = _check(module, type(self).__name__)

    def __delitem__(self, index: Any) -> None:
        del self._list[index]

    def append(self, module: Module) -> Any:
        """Add a module at the end."""
        self._list.append(_check(module, type(self).__name__))
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add modules at the end."""
        self._list += [_check(module, type(self).__name__) for module in modules]
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Put a module before the one at `index`."""
        self._list.insert(index, _check(module, type(self).__name__))
        return self

    @classmethod
    def _from(cls, modules: list[Module]) -> Any:
        made = cls.__new__(cls)
        made._list = modules
        return made


class Sequential(_Numbered):
    """Modules one after the other: y = layerₙ(… layer₁(x)).

    Made of modules, or of one mapping of names to modules, whose names the state dict then uses.
    """

    _names: list[str] | None = None

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            super().__init__(modules[0].values())
            self._names = [_plain_name(name, "Sequential") for name in modules[0]]
        else:
            super().__init__(modules)

    def forward(self, x: Any) -> Any:
        for layer in self._list:
            x = layer(x)
        return x

    def backward(self, grad: Any) -> Any:
        """Send `grad` back by hand: each layer's backward, the last layer's first."""
        for layer in reversed(self._list):
            grad = layer.backward(grad)
        return grad

    def _parts(self) -> Iterator[tuple[str, Any]]:
        for name, value in super()._parts():
            if self._names is not None and name.isdigit() and int(name) < len(self._names):
                yield self._names[int(name)], value
            else:
                yield name, value

    def __getattr__(self, name: str) -> Any:
        names = self.__dict__.get("_names") or ()
        if name in names:
            return self._list[names.index(name)]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(index)
        if self._names is not None:
            del self._names[index]

    def insert(self, index: int, module: Module) -> Any:
        """Put a module before the one at `index`."""
        if self._names is not None:
            raise ArgumentError("Sequential.insert: this one has names; make a new one from a mapping")
        return super().insert(index, module)


class ModuleList(_Numbered):
    """A list of modules that counts as part of the module that holds it; it computes nothing itself."""


class ModuleDict(Module):
    """A dictionary of modules that counts as part of the module that holds it; it computes nothing itself."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self._dict: dict[str, Module] = {}
        self.update(modules)

    def _parts(self) -> Iterator[tuple[str, Any]]:
        for name, value in super()._parts():
            if name == "_dict":
                yield from list(value.items())
            else:
                yield name, value

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace modules by name."""
        pairs = modules.items() if isinstance(modules, Mapping) else modules
        self._dict.update(
            {_plain_name(name, "ModuleDict"): _check(module, "ModuleDict") for name, module in pairs}
        )

    def __getitem__(self, name: str) -> Module:
        try:
            return self._dict[name]
        except KeyError as error:
            raise ArgumentError(f"ModuleDict: no module {name!r}; there are {list(self._dict)}") from error

    def __setitem__(self, name: str, module: Module) -> None:
        self.update({name: module})

    def __delitem__(self, name: str) -> None:
        self[name]
        del self._dict[name]

    def __len__(self) -> int:
        return len(self._dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self._dict)

    def __contains__(self, name: object) -> bool:
        return name in self._dict

    def keys(self) -> Any:
        """The names."""
        return self._dict.keys()

    def values(self) -> Any:
        """The modules."""
        return self._dict.values()

    def items(self) -> Any:
        """Names and modules."""
        return self._dict.items()


def _plain_name(name: Any, where: str) -> str:
    if not isinstance(name, str) or not name or "." in name:
        raise ArgumentError(f"{where}: a module's name is a non-empty string without dots, not {name!r}")
    return name
