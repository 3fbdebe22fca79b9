"""Sequential, ModuleList, ModuleDict, and those of parameters: modules that hold others under names of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

from tt_nn.errors import UnknownNameError
from tt_nn.fusions import forward as run_together
from tt_nn.fusions import fusions
from tt_nn.module import Module
from tt_nn.parameter import Parameter
from tt_nn.parts import plain_name
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


def _check(module: Any, where: str) -> Module:
    if not isinstance(module, Module):
        kind = (
            module.__name__ + " (the class; make an instance)" if isinstance(module, type) else repr(module)
        )
        raise DTypeError(f"{where} holds modules, not {kind}")
    return module


class _OfModules:
    """What a container holds: modules."""

    _kind = "module"
    _type: type = Module

    def _held(self, value: Any) -> Any:
        """`value` as it is held here. Raises DTypeError for what is not."""
        return _check(value, type(self).__name__)


class _OfParameters:
    """What a container holds: parameters. A Tensor becomes one, with a copy of its values."""

    _kind = "parameter"
    _type: type = Parameter
    named_parameters: Any

    def _held(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            raise DTypeError(
                f"{type(self).__name__} holds parameters, not {type(value).__name__}; use Parameter(values)"
            )
        return value if isinstance(value, Parameter) else Parameter(value)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}: {parameter.shape}" for name, parameter in self.named_parameters())


class _Holding(Module):
    """Modules or parameters that are attributes, too, under their names in the state dict: read, replaced, deleted."""

    _kind: str
    _type: type
    _held: Any
    _store: str
    """The attribute that holds them, as a list or a dictionary."""

    def _index(self, name: str) -> Any:
        """What the one of that name stands under in the store; None where there is none."""
        raise NotImplementedError

    def _join(self, name: str, value: Any) -> None:
        """Take in another one under a new name."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        if self._store in self.__dict__ and (index := self._index(name)) is not None:
            return self.__dict__[self._store][index]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if not isinstance(value, self._type) or self._store not in self.__dict__:
            super().__setattr__(name, value)
        elif (index := self._index(name)) is not None:
            self.__dict__[self._store][index] = value
        else:
            self._join(name, value)

    def __delattr__(self, name: str) -> None:
        if name not in self.__dict__ and (index := self._index(name)) is not None:
            del self[index]  # type: ignore[attr-defined]
        else:
            super().__delattr__(name)


class _Numbered(_Holding):
    """Modules or parameters in a row, named "0", "1", …"""

    _store = "_list"

    def __init__(self, modules: Iterable[Any] | None = None) -> None:
        self._list = [] if modules is None else self._all(modules)

    def _index(self, name: str) -> Any:
        keys = self._keys()
        return keys.index(name) if name in keys else None

    def _join(self, name: str, value: Any) -> None:
        if name == str(len(self)):
            self.append(value)
        else:
            object.__setattr__(self, name, value)

    def _keys(self) -> list[str]:
        """The names of the modules, in order."""
        return [str(index) for index in range(len(self._list))]

    def _parts(self) -> Iterator[tuple[str, Any]]:
        for name, value in super()._parts():
            if name == "_list":
                yield from zip(self._keys(), list(value), strict=True)
            else:
                yield name, value

    def __len__(self) -> int:
        return len(self._list)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._list)

    def _all(self, modules: Any) -> list[Any]:
        """`modules` as they are held here. Raises DTypeError."""
        if not isinstance(modules, Iterable):
            raise DTypeError(f"{type(self).__name__}: takes a list of {self._kind}s, not {modules!r}")
        return [self._held(module) for module in modules]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)._from(self._list[index])
        try:
            return self._list[index]
        except IndexError as error:
            raise IndexingError(
                f"{type(self).__name__}: no {self._kind} {index} among {len(self)}"
            ) from error
        except TypeError as error:
            raise DTypeError(f"{type(self).__name__}: a place is an integer, not {index!r}") from error

    def __setitem__(self, index: int, module: Module) -> None:
        self[index]
        self._list[index] = self._held(module)

    def __delitem__(self, index: Any) -> None:
        self[index]
        del self._list[index]

    def append(self, module: Module) -> Any:
        """Add a module at the end."""
        self._list.append(self._held(module))
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add modules at the end."""
        self._list += self._all(modules)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Put a module before the one at `index`."""
        self._list.insert(index, self._held(module))
        return self

    def pop(self, index: int = -1) -> Module:
        """Take the module at `index` out, and return it."""
        module: Module = self[index]
        del self[index]
        return module

    def __iadd__(self, modules: Iterable[Module]) -> Any:
        return self.extend(modules)

    def __add__(self, modules: Iterable[Module]) -> Any:
        return self._from([*self, *self._all(modules)])

    @classmethod
    def _from(cls, modules: list[Module]) -> Any:
        made = cls.__new__(cls)
        made._list = modules
        return made


class Sequential(_OfModules, _Numbered):
    """Modules one after the other: y = layerₙ(… layer₁(x)).

    Made of modules, or of one mapping of names to modules, whose names the state dict then uses. As in PyTorch, a
    module that is set as an attribute (or by `add_module`) joins the end of the row, under its name, and a slice
    keeps the names.
    """

    _names: list[str] | None = None
    """The names, where they are not the numbers from 0."""

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            super().__init__(modules[0].values())
            self._names = [plain_name(name, "Sequential") for name in modules[0]]
        else:
            super().__init__(modules)

    def forward(self, x: Any) -> Any:
        if fusions:
            return run_together(self._list, x)
        for layer in self._list:
            x = layer.__call__(x)  # the frame of a slot call costs 0.1 µs
        return x

    def backward(self, grad: Any) -> Any:
        """Send `grad` back by hand: each layer's backward, the last layer's first."""
        for layer in reversed(self._list):
            grad = layer.backward(grad)
        return grad

    def _keys(self) -> list[str]:
        return super()._keys() if self._names is None else self._names

    def _join(self, name: str, value: Any) -> None:
        self._names = [*self._keys(), plain_name(name, "Sequential")]
        self._list.append(value)

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        if isinstance(index, slice):
            names = self._keys()[index]
            found._names = None if names == super(Sequential, found)._keys() else names
        return found

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(index)
        if self._names is not None:
            del self._names[index]
            # What is named by its place has another place now.
            self._names = [str(at) if name.isdigit() else name for at, name in enumerate(self._names)]

    def append(self, module: Module) -> Any:
        """Add a module at the end."""
        return self.extend([module])

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add modules at the end."""
        before = len(self)
        super().extend(modules)
        if self._names is not None:
            for at in range(before, len(self)):
                self._names.append(next(str(n) for n in count(at) if str(n) not in self._names))
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Put a module before the one at `index`."""
        if self._names is not None:
            raise ArgumentError("Sequential.insert: this one has names; make a new one from a mapping")
        return super().insert(index, module)


class ModuleList(_OfModules, _Numbered):
    """A list of modules that counts as part of the module that holds it; it computes nothing itself."""


class _Named(_Holding):
    """Modules or parameters by names of their own."""

    _store = "_dict"

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        self._dict: dict[str, Module] = {}
        self.update(() if modules is None else modules)

    def _index(self, name: str) -> Any:
        return name if name in self._dict else None

    def _join(self, name: str, value: Any) -> None:
        self[name] = value

    def _parts(self) -> Iterator[tuple[str, Any]]:
        for name, value in super()._parts():
            if name == "_dict":
                yield from list(value.items())
            else:
                yield name, value

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace modules by name."""
        who = type(self).__name__
        try:
            pairs = (
                modules.items() if isinstance(modules, Mapping) else [(name, one) for name, one in modules]
            )
        except (TypeError, ValueError) as error:
            raise DTypeError(
                f"{who}: takes a mapping of names to {self._kind}s, or pairs of them, not {modules!r}"
            ) from error
        self._dict.update({plain_name(name, who): self._held(one) for name, one in pairs})

    def __getitem__(self, name: str) -> Module:
        try:
            return self._dict[name]
        except KeyError as error:
            raise UnknownNameError(
                f"{type(self).__name__}: no {self._kind} {name!r}; there are {list(self._dict)}"
            ) from error

    def __setitem__(self, name: str, module: Module) -> None:
        self.update({name: module})

    def __delitem__(self, name: str) -> None:
        self[name]
        del self._dict[name]

    def pop(self, name: str) -> Module:
        """Take the module of that name out, and return it."""
        module = self[name]
        del self._dict[name]
        return module

    def clear(self) -> None:
        """Take all modules out."""
        self._dict.clear()

    def __len__(self) -> int:
        return len(self._dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self._dict)

    def __contains__(self, name: object) -> bool:
        return name in self._dict

    def get(self, name: str, default: Any = None) -> Any:
        """The one of that name, or `default`."""
        return self._dict.get(name, default)

    def keys(self) -> Any:
        """The names."""
        return self._dict.keys()

    def values(self) -> Any:
        """The modules."""
        return self._dict.values()

    def items(self) -> Any:
        """Names and modules."""
        return self._dict.items()


class ModuleDict(_OfModules, _Named):
    """A dictionary of modules that counts as part of the module that holds it; it computes nothing itself."""


class ParameterList(_OfParameters, _Numbered):
    """A list of parameters that count among those of the module that holds it; it computes nothing itself.

    A Tensor that is put in becomes a Parameter, with a copy of its values.
    """


class ParameterDict(_OfParameters, _Named):
    """A dictionary of parameters that count among those of the module that holds it; it computes nothing itself.

    A Tensor that is put in becomes a Parameter, with a copy of its values.
    """
