"""What stands between brackets, and arrays of positions and masks."""

import numpy as np


def places(b, n, shape):
    """Positions below n, repeats likely, some counted from the end where the words agree on that."""
    return np.array([b.choose(n) for _ in range(int(np.prod(shape)))], dtype=int).reshape(shape)


def mask_of(b, shape):
    """A mask that names at least one element."""
    size = int(np.prod(shape))
    mask = np.array([b.choose(2) == 0 for _ in range(size)])
    mask[b.choose(size)] = True
    return mask.reshape(shape)


def part(b, n, backwards):
    """Something of an axis of size n: all of it, one place, or a piece."""
    kind = b.choose(6)
    if kind == 0:
        start = b.choose(n)
        return {"slice": [start or None, None, None]}
    if kind == 1:
        place = b.choose(n)
        return place - n if b.chance(3) else place
    if kind == 2:
        return {"slice": [None, n - b.choose(n), None]}
    if kind == 3:
        return {"slice": [b.choose(n) or None, None, 2]}
    if kind == 4 and backwards:
        return {"slice": [None, None, -1 - b.choose(2)]}
    return {"slice": [None, None, None]}


def basic(b, shape, backwards):
    """Integers, slices, … and None: a view."""
    key = [part(b, n, backwards) for n in shape[: 1 + b.choose(len(shape))]]
    if len(key) < len(shape) and b.chance(3):
        # From the other end.
        key = ["...", part(b, shape[-1], backwards)]
    if b.chance(5):
        key.insert(b.choose(len(key) + 1), None)
    return key


def advanced(b, shape, unique, mixed):
    """Integer arrays or masks, among slices: a copy. `unique`: no element twice. `mixed`: integers among them, too."""
    kind = b.choose(3)
    if kind == 1 and len(shape) > 1:  # one array for each of two axes
        count = 1 + b.choose(3)
        if unique:
            rows = np.arange(shape[0])[:count]
            return [{"array": rows.tolist()}, {"array": places(b, shape[1], rows.shape).tolist()}]
        return [{"array": places(b, n, (count,)).tolist()} for n in shape[:2]]
    if kind == 2:
        return [{"array": mask_of(b, shape[: 1 + b.choose(min(2, len(shape)))]).tolist()}]
    axis = b.choose(len(shape))
    n = shape[axis]
    before = [part(b, size, mixed) if mixed else {"slice": [None, None, None]} for size in shape[:axis]]
    if unique:
        index = [k for k in range(n) if b.choose(2)] or [b.choose(n)]
    else:
        index = places(b, n, (1 + b.choose(3),) if b.chance(2) else (2, 2)).tolist()
        if b.chance(4):
            index = (np.array(index) - n).tolist()
    return [*before, {"array": index}]
