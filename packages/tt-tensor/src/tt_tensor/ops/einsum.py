"""einsum: sums of products, with every axis called by a letter; and its rule, which is einsum again."""

from __future__ import annotations

import math
from functools import lru_cache
from string import ascii_letters
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.function import Function
from tt_tensor.kernels.matmul import product

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["Einsum", "einsum", "tensordot"]


class Einsum(Function):
    """z[out] = Σ Π_k x_k[labels of k], over all labels that are not in `out`.

    The gradient of one operand is the same sum over the product of grad and all other operands: grad takes
    the place of the operand, the operand's labels are the new output. A label that only this operand has was
    summed there alone: every element along it gets the same. A label that it has twice was a diagonal: off it,
    the gradient is 0.
    """

    def __init__(self, subscripts: str) -> None:
        self.subscripts = subscripts

    def forward(self, *operands: Any) -> Any:
        # The gradient of a lone operand needs no value, so it may be written after.
        self.operands = operands if len(operands) > 1 else (None,)
        shapes = tuple([x.shape for x in operands])
        self.labels, self.out = parse(self.subscripts, tuple([len(shape) for shape in shapes]))
        self.sizes = label_sizes(self.subscripts, self.labels, shapes)
        return apply(self.labels, self.out, operands)

    def backward(self, grad: Any) -> tuple[Any, ...]:
        return tuple(
            [
                self.gradient_of(index, grad) if self.wants(index) else None
                for index in range(len(self.operands))
            ]
        )

    def gradient_of(self, index: int, grad: Any) -> Any:
        mine = self.labels[index]
        unique = "".join(dict.fromkeys(mine))
        labels = [self.out, *self.labels[:index], *self.labels[index + 1 :]]
        operands = [grad, *self.operands[:index], *self.operands[index + 1 :]]
        elsewhere = set("".join(labels))
        known = "".join([label for label in unique if label in elsewhere])
        dx = apply(tuple(labels), known, operands)
        full = tuple([self.sizes[label] for label in unique])
        if known != unique:
            dims = iter(dx.shape)
            dx = dx.reshape(tuple([next(dims) if label in elsewhere else 1 for label in unique]))
        if dx.shape != full:
            dx = np.broadcast_to(dx, full)
        if unique == mine:
            return dx
        # Place the unique labels on the diagonal: δ[i, i'] for each further occurrence i' of a label i.
        spare = iter([letter for letter in ascii_letters if letter not in unique])
        target, deltas, eyes = "", [], []
        for position, label in enumerate(mine):
            if label in mine[:position]:
                again = next(spare)
                deltas.append(label + again)
                eyes.append(np.eye(self.sizes[label], dtype=grad.dtype))
                target += again
            else:
                target += label
        return apply((unique, *deltas), target, [dx, *eyes])


def apply(labels: tuple[str, ...], out: str, operands: Any) -> Any:
    """einsum on arrays, or the operation of the same meaning if a Tensor is among them."""
    if any(hasattr(x, "requires_grad") for x in operands):
        return Einsum(f"{','.join(labels)}->{out}")(*operands)
    return contract(labels, out, operands)


# --- the notation ---------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def parse(subscripts: str, ranks: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    """One letter for each axis of each operand, and of the output; ellipses get letters that are free.

    Without "->": the letters that occur once, in alphabetical order, after the axes of the ellipsis.

    Raises ArgumentError for what does not read as subscripts, ShapeError where the ranks do not fit.
    """
    name = f"einsum {subscripts!r}"
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    for term in (*terms, right):
        letters = term.replace("...", "", 1)
        if not set(letters) <= set(ascii_letters):
            raise ArgumentError(f"{name}: {term!r} is not made of letters and at most one ellipsis '...'")
    if len(terms) != len(ranks):
        raise ArgumentError(
            f"{name}: the subscripts are for {len(terms)} operands, but {len(ranks)} were given"
        )
    free = [letter for letter in ascii_letters if letter not in text]
    covers = []
    for position, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        named = len(term.replace("...", ""))
        if named > rank or (named < rank and "..." not in term):
            raise ShapeError(
                f"{name}: operand {position} has {rank} axes, but its subscripts {term!r} name {named}; "
                "use '...' for those without a name"
            )
        covers.append(rank - named if "..." in term else 0)
    widest = max(covers)
    if widest > len(free):
        raise ArgumentError(f"{name}: more than {len(ascii_letters)} axes")
    hidden = "".join(free[:widest])
    # Ellipses are aligned at the right, as shapes are in broadcasting.
    labels = tuple(
        [term.replace("...", hidden[widest - cover :]) for term, cover in zip(terms, covers, strict=True)]
    )
    if not arrow:
        once = sorted({letter for letter in left if letter in ascii_letters and left.count(letter) == 1})
        return labels, hidden + "".join(once)
    out = right.replace("...", hidden)
    for label in out:
        if out.count(label) > 1:
            raise ArgumentError(f"{name}: the output names {label!r} twice")
        if not any(label in term for term in labels):
            raise ArgumentError(f"{name}: the output names {label!r}, which no operand has")
    return labels, out


@lru_cache(maxsize=1024)
def label_sizes(
    subscripts: str, labels: tuple[str, ...], shapes: tuple[tuple[int, ...], ...]
) -> dict[str, int]:
    """The size of each label; 1 stretches to any other. Raises ShapeError where two sizes meet."""
    sizes: dict[str, int] = {}
    for term, shape in zip(labels, shapes, strict=True):
        for label, size in zip(term, shape, strict=True):
            known = sizes.setdefault(label, size)
            if known != size:
                if known != 1 and size != 1:
                    called = f"axis {label!r}" if label in subscripts else "an axis of the ellipsis"
                    raise ShapeError(
                        f"einsum {subscripts!r}: {called} has size {known} in one place and {size} in another "
                        f"(shapes {', '.join(map(str, shapes))})"
                    )
                sizes[label] = size if known == 1 else known
    return sizes


# --- on arrays ------------------------------------------------------------------------------------------


def contract(labels: tuple[str, ...], out: str, arrays: Any) -> Any:
    """The sum of products, two operands at a time, each pair as a matrix product where there is one in it."""
    sizes = label_sizes(f"{','.join(labels)}->{out}", labels, tuple([x.shape for x in arrays]))
    terms, operands = [], []
    for term, x in zip(labels, arrays, strict=True):
        stretched = [size != sizes[label] for label, size in zip(term, x.shape, strict=True)]
        if any(stretched):  # size 1 against a larger one: the same without that axis
            x = x[tuple([0 if one else slice(None) for one in stretched])]
            term = "".join([label for label, one in zip(term, stretched, strict=True) if not one])
        terms.append(term)
        operands.append(x)
    if len(operands) > 2:
        steps = order(tuple(terms), out, tuple([sizes[label] for label in "".join(terms)]))
    else:
        steps = [tuple(range(len(operands)))]
    for step in steps:
        picked = [(terms.pop(position), operands.pop(position)) for position in sorted(step, reverse=True)]
        picked.reverse()
        still = set(out).union(*terms)
        if terms:
            result = "".join(dict.fromkeys([label for term, _ in picked for label in term if label in still]))
        else:
            result = out
        if len(picked) == 2:
            (a, x), (b, y) = picked
            found = pair(a, x, b, y, result)
        else:
            found = np.einsum(f"{','.join([term for term, _ in picked])}->{result}", *[x for _, x in picked])
        terms.append(result)
        operands.append(found)
    return operands[0]


@lru_cache(maxsize=1024)
def order(terms: tuple[str, ...], out: str, sizes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Which operands to contract, step after step, so that the intermediate results stay small (NumPy's greedy
    search); each result goes to the end of the list."""
    rest = iter(sizes)
    # No memory behind these: only their shapes matter.
    shaped = [np.broadcast_to(np.float32(0), [next(rest) for _ in term]) for term in terms]
    path, _ = np.einsum_path(f"{','.join(terms)}->{out}", *shaped, optimize="greedy")
    return path[1:]  # type: ignore[no-any-return]


def pair(a: str, x: Any, b: str, y: Any, out: str) -> Any:
    """Two operands: as one (batched) matrix product if a label is summed between them."""
    roles = roles_of(a, b, out)
    if roles is None:
        return np.einsum(f"{a},{b}->{out}", x, y)
    batch, rows, summed, left, right, places = roles
    x, y = simplified(a, x, left), simplified(b, y, right)
    first = len(batch) + len(rows)
    last = len(batch) + len(summed)
    sizes = x.shape[:first] + y.shape[last:]
    x = merged(x, len(batch), first)
    y = merged(y, len(batch), last)
    z = product(x, y)
    if z.shape != sizes:
        z = z.reshape(sizes)
    return z if places is None else z.transpose(places)


@lru_cache(maxsize=1024)
def roles_of(a: str, b: str, out: str) -> tuple[Any, ...] | None:
    """Which labels of two operands are batch (in both and the result), rows (in the first only), summed (in both);
    the labels of both in the order (batch, rows, summed) and (batch, summed, columns); and how the product is
    transposed to `out`, None if it is not. Nothing at all if nothing is summed between the two."""
    shared = [label for label in dict.fromkeys(a) if label in b]
    summed = [label for label in shared if label not in out]
    if not summed:
        return None
    batch = [label for label in shared if label in out]
    rows = [label for label in dict.fromkeys(a) if label not in b and label in out]
    columns = [label for label in dict.fromkeys(b) if label not in a and label in out]
    names = batch + rows + columns
    places = [names.index(label) for label in out]
    return (
        batch,
        rows,
        summed,
        "".join(batch + rows + summed),
        "".join(batch + summed + columns),
        None if places == sorted(places) else places,
    )


def simplified(term: str, x: Any, wanted: str) -> Any:
    """`x` with its axes as `wanted`: diagonals taken, and labels summed that only this operand has."""
    return x if term == wanted else np.einsum(f"{term}->{wanted}", x)


def merged(x: Any, batch: int, middle: int) -> Any:
    """`x` as matrices: the axes from `batch` to `middle` as rows, those behind as columns."""
    if middle - batch == 1 and x.ndim - middle == 1:
        return x
    shape = x.shape
    return x.reshape((*shape[:batch], math.prod(shape[batch:middle]), math.prod(shape[middle:])))


# --- the door -------------------------------------------------------------------------------------------


def einsum(subscripts: Any, *operands: Any, optimize: Any = True) -> Tensor:
    """Einstein's sum: einsum("ik,kj->ij", x, y)[i, j] = Σ_k x[i, k] · y[k, j].

    Every axis gets a letter; letters that are not in the output are summed. Without "->" the output has the
    letters that occur once, in alphabetical order. A letter twice in one operand takes its diagonal, "..."
    stands for all axes without a letter, which broadcast. Also in the other notation of np.einsum, operands
    followed by lists of integers: einsum(x, [0, 1], y, [1, 2], [0, 2]).

    The operands may also come in one list, as in PyTorch: einsum("i,j", [x, y]).

    Two operands run as one matrix product, more than two in an order that keeps what is between small.
    `optimize` is taken for NumPy's sake and changes nothing.

    Raises ArgumentError for subscripts that do not read, ShapeError where they do not fit the operands.
    """
    if not isinstance(subscripts, str):
        subscripts, operands = from_lists((subscripts, *operands))
    elif len(operands) == 1 and subscripts.count(",") and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    if not operands:
        raise ArgumentError(f"einsum {subscripts!r}: no operands")
    from tt_tensor.tensor import Tensor, as_array

    return Einsum(subscripts)(*[x if isinstance(x, Tensor) else as_array(x, "einsum") for x in operands])


def from_lists(parts: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """(x, [0, 1], y, [1, 2], [0, 2]) as ("ab,bc->ac", (x, y))."""

    def letters(labels: Any) -> str:
        try:
            return "".join(["..." if label is Ellipsis else ascii_letters[label] for label in labels])
        except (TypeError, IndexError) as error:
            raise ArgumentError(
                f"einsum: {labels!r} is no list of integers below {len(ascii_letters)} (or Ellipsis)"
            ) from error

    operands, labels = parts[0::2], parts[1::2]
    arrow = ""
    if len(parts) % 2:
        operands, arrow = operands[:-1], "->" + letters(parts[-1])
    return ",".join(map(letters, labels)) + arrow, operands


def tensordot(x: Any, y: Any, axes: Any = 2) -> Tensor:
    """Σ x · y over pairs of axes: the last `axes` of x with the first of y, or those named in two lists.

    Shape: the other axes of `x`, then the other axes of `y`.

    Raises ShapeError where paired axes differ in size or number, AxisError for an axis out of range.
    """
    from tt_tensor.ops.over_axes import axes_of
    from tt_tensor.tensor import as_tensor

    x, y = as_tensor(x), as_tensor(y)
    if isinstance(axes, int | np.integer):
        if not 0 <= axes <= min(x.ndim, y.ndim):
            raise ShapeError(f"tensordot: {axes} axes of shapes {x.shape} and {y.shape} cannot be paired")
        left, right = tuple(range(x.ndim - int(axes), x.ndim)), tuple(range(int(axes)))
    else:
        try:
            first, second = axes
        except (TypeError, ValueError) as error:
            raise DTypeError(f"tensordot: axes is an integer or two lists of axes, not {axes!r}") from error
        left, right = axes_of(first, x.ndim, "tensordot"), axes_of(second, y.ndim, "tensordot")
        if len(left) != len(right):
            raise ShapeError(
                f"tensordot: {len(left)} axes {left} cannot be paired with {len(right)} axes {right}"
            )
    for i, j in zip(left, right, strict=True):
        if x.shape[i] != y.shape[j]:
            raise ShapeError(
                f"tensordot: axis {i} of {x.shape} and axis {j} of {y.shape} are paired, but differ in size"
            )
    a = ascii_letters[: x.ndim]
    b = list(ascii_letters[x.ndim : x.ndim + y.ndim])
    out = "".join([label for i, label in enumerate(a) if i not in left])
    out += "".join([label for j, label in enumerate(b) if j not in right])
    for i, j in zip(left, right, strict=True):
        b[j] = a[i]
    return Einsum(f"{a},{''.join(b)}->{out}")(x, y)
