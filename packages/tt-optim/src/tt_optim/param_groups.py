"""Parameter groups: what may be optimized, and how it may be written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from tt_nn import Module
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, GradientError

__all__ = ["Group", "Params", "check_params", "groups_of", "parameters_of"]

Group: TypeAlias = dict[str, Any]

Params: TypeAlias = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[Mapping[str, Any]]
"""What an optimizer takes: parameters, (name, parameter) pairs, or groups of either with options of their own."""


def refuse(who: str, params: Any) -> None:
    """Raise DTypeError for what looks like parameters but is not a sequence of them."""
    if isinstance(params, Module):
        raise DTypeError(f"{who}: got the module itself; pass its parameters, model.parameters()")
    if isinstance(params, set | frozenset):
        raise DTypeError(f"{who}: a set of parameters has another order in each run; pass a list")
    if isinstance(params, Mapping):
        raise DTypeError(
            f"{who}: got a mapping; pass its values(), its items(), or a list with this group in it"
        )
    if isinstance(params, str | bytes) or not isinstance(params, Iterable):
        raise DTypeError(
            f"{who}: params must be an iterable of Tensors or of groups, not {type(params).__name__}"
        )


def groups_of(who: str, params: Any) -> list[Group]:
    """The groups that `params` writes down. Raises DTypeError for a wrong kind, ArgumentError for none at all."""
    if isinstance(params, Tensor):
        raise DTypeError(
            f"{who}: params must be an iterable of Tensors or of groups, not one Tensor; pass [tensor]"
        )
    refuse(who, params)
    found = list(params)
    if not found:
        raise ArgumentError(f"{who}: the list of parameters is empty; was model.parameters() used up before?")
    if not isinstance(found[0], Mapping):
        found = [{"params": found}]
    for group in found:
        if not isinstance(group, Mapping):
            raise DTypeError(f"{who}: a parameter group must be a dict, not {type(group).__name__}")
    return [dict(group) for group in found]


def parameters_of(who: str, group: Group) -> tuple[list[Tensor], list[str] | None]:
    """The parameters of a group, and their names if they came as (name, parameter) pairs.

    Raises ArgumentError where "params" is missing or only some are named, DTypeError for a wrong kind.
    """
    if "params" not in group:
        raise ArgumentError(
            f'{who}: a parameter group needs "params"; this one has {sorted(map(str, group))}'
        )
    params = group["params"]
    if isinstance(params, Tensor):
        return [params], None
    refuse(who, params)
    found, names = [], []
    for entry in params:
        if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str):
            names.append(entry[0])
            entry = entry[1]
        found.append(entry)
    if names and len(names) != len(found):
        raise ArgumentError(
            f"{who}: name all parameters of a group, or none; {len(names)} of {len(found)} are named"
        )
    return found, names or None


def check_params(who: str, params: list[Any], others: Iterable[Tensor]) -> None:
    """Raise for what is no floating leaf Tensor (DTypeError, GradientError), or appears twice (ArgumentError)."""
    seen = {id(p) for p in others}
    for at, p in enumerate(params):
        if not isinstance(p, Tensor):
            raise DTypeError(f"{who}: parameter {at} is no Tensor but {type(p).__name__}")
        if p.dtype.kind != "f":
            raise DTypeError(
                f"{who}: parameter {at} of shape {p.shape} is {p.dtype}; only floating dtypes have a gradient to follow"
            )
        if not p.is_leaf:
            raise GradientError(
                f"{who}: parameter {at} of shape {p.shape} is the result of a recorded operation; "
                "optimize the leaf it was made from, or detach() it"
            )
        if id(p) in seen:
            raise ArgumentError(
                f"{who}: parameter {at} of shape {p.shape} appears twice; a step would move it twice"
            )
        seen.add(id(p))
