"""The parts of a module: its parameters, its buffers and other modules, found among its attributes by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tt_nn.errors import UnknownNameError
from tt_nn.parameter import Parameter
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError

if TYPE_CHECKING:
    from tt_nn.module import Module

__all__ = ["PartMethods", "plain_name"]


class PartMethods:
    """Finding and adding the parts of a Module."""

    _buffers: dict[str, bool] | None = None
    """The names of the buffers, and whether each is part of the state. On the class, so that a subclass need not call
    super().__init__()."""

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules that are attributes of this one, with their names, each once."""
        seen: set[int] = set()
        for name, value in self._parts():
            if isinstance(value, PartMethods) and id(value) not in seen:
                seen.add(id(value))
                yield name, value  # type: ignore[misc]

    def children(self) -> Iterator[Module]:
        """The modules that are attributes of this one."""
        for _, child in self.named_children():
            yield child

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """This module and all below it, with dotted names ("" for itself), each once, parents first.

        With remove_duplicate=False, one that has several names comes under each.
        """
        if not remove_duplicate:
            yield from self._paths(prefix)
            return
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]  # type: ignore[list-item]
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            below = [(f"{name}.{key}" if name else key, child) for key, child in module.named_children()]
            stack += reversed(below)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        seen: set[int] = set()
        stack: list[Module] = [self]  # type: ignore[list-item]
        while stack:
            module = stack.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield module
                parts = [part for _, part in module._parts() if isinstance(part, PartMethods)]
                stack += reversed(parts)  # type: ignore[arg-type]

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with dotted names; one that is tied to several names comes once, under its first."""
        yield from self._tensors(prefix, recurse, remove_duplicate, PartMethods._own_parameters)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once: what an optimizer takes."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers (state that no optimizer trains) with dotted names."""
        yield from self._tensors(prefix, recurse, remove_duplicate, PartMethods._own_buffers)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Make `tensor` (or None) the attribute `name`, as state that no optimizer trains.

        A persistent buffer is part of the state dict.

        Raises ArgumentError for a name that is taken, is empty or has a dot in it.
        """
        plain_name(name, "register_buffer")
        if hasattr(self, name) and name not in (self._buffers or {}):
            raise ArgumentError(f"register_buffer: {type(self).__name__} has an attribute {name!r} already")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise DTypeError(
                f"register_buffer: {name!r} must be a Tensor or None, not {type(tensor).__name__}"
            )
        if self._buffers is None:
            object.__setattr__(self, "_buffers", {})
        self._buffers[name] = persistent  # type: ignore[index]
        object.__setattr__(self, name, tensor)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Make `parameter` (or None) the attribute `name`, as `self.name = parameter` does.

        Raises DTypeError for what is none, ArgumentError for a name that is taken, is empty or has a dot in it.
        """
        if parameter is not None and not isinstance(parameter, Parameter):
            raise DTypeError(
                f"register_parameter: {name!r} must be a Parameter or None, not {type(parameter).__name__}"
            )
        self._check_name("register_parameter", name, Parameter)
        setattr(self, name, parameter)

    def add_module(self, name: str, module: Module | None) -> None:
        """Make `module` (or None) the part `name`, as `self.name = module` does.

        Raises DTypeError for what is none, ArgumentError for a name that is taken, is empty or has a dot in it.
        """
        if module is not None and not isinstance(module, PartMethods):
            raise DTypeError(f"add_module: {name!r} must be a Module or None, not {type(module).__name__}")
        self._check_name("add_module", name, PartMethods)
        setattr(self, name, module)

    register_module = add_module

    def set_submodule(self, name: str, module: Module) -> None:
        """Put `module` in the place of the one of that dotted name. Raises UnknownNameError if there is none."""
        self.get_submodule(name)
        path, _, last = name.rpartition(".")
        self.get_submodule(path).add_module(last, module)

    def get_submodule(self, name: str) -> Module:
        """The module of that dotted name ("" for itself). Raises UnknownNameError if there is none."""
        for found, module in self._paths():
            if found == name:
                return module
        raise UnknownNameError(f"{type(self).__name__} has no submodule {name!r}")

    def get_parameter(self, name: str) -> Parameter:
        """The parameter of that dotted name. Raises UnknownNameError if there is none."""
        for found, parameter in self.named_parameters(remove_duplicate=False):
            if found == name:
                return parameter
        raise UnknownNameError(f"{type(self).__name__} has no parameter {name!r}")

    def get_buffer(self, name: str) -> Tensor:
        """The buffer of that dotted name. Raises UnknownNameError if there is none."""
        for found, buffer in self.named_buffers(remove_duplicate=False):
            if found == name:
                return buffer
        raise UnknownNameError(f"{type(self).__name__} has no buffer {name!r}")

    def _check_name(self, what: str, name: Any, kind: type) -> None:
        """Raise ArgumentError for a name that no part can have, or that something else than a `kind` has."""
        plain_name(name, what)
        if not isinstance(getattr(self, name, None), kind | None):
            raise ArgumentError(f"{what}: {type(self).__name__} has an attribute {name!r} already")

    def _parts(self) -> Iterator[tuple[str, Any]]:
        """The attributes, by name; containers name theirs otherwise."""
        return iter(list(self.__dict__.items()))

    def _own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        return ((name, value) for name, value in self._parts() if isinstance(value, Parameter))

    def _own_buffers(self) -> Iterator[tuple[str, Tensor]]:
        named = ((name, getattr(self, name)) for name in self._buffers or ())
        return ((name, value) for name, value in named if value is not None)

    def _tensors(self, prefix: str, recurse: bool, once: bool, own: Callable[..., Any]) -> Iterator[Any]:
        seen: set[int] = set()
        for path, module in self._paths(prefix) if recurse else [(prefix, self)]:
            for name, value in own(module):
                if not once or id(value) not in seen:
                    seen.add(id(value))
                    yield f"{path}.{name}" if path else name, value

    def _paths(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Every way to every module: a module under two names comes twice, as in a state dict."""
        yield prefix, self  # type: ignore[misc]
        for name, value in self._parts():
            if isinstance(value, PartMethods):
                yield from value._paths(f"{prefix}.{name}" if prefix else name)


def plain_name(name: Any, where: str) -> str:
    """`name`, if a part may have it. Raises ArgumentError."""
    if not isinstance(name, str) or not name or "." in name:
        raise ArgumentError(f"{where}: a name is a non-empty string without dots, not {name!r}")
    return name
