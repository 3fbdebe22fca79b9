"""What a program is built with: it runs as it grows, so that every choice fits what is there by then.

The drawing itself stands in drawing.py and writing.py. Every choice is one call of `choose(n)`, a number below n; 0 is
the simplest, so that hypothesis shrinks towards it.
"""

import random
from dataclasses import replace

import numpy as np

from .program import Program, Step

LARGEST = 60  # elements of one value
LEAVES = 5
RESHAPES = ("reshape", "flatten", "ravel", "unflatten")
APART = 1e-4  # how far from a kink a value stays, or exactly on it where both sides move together

# Distinct, none near 0, with so many digits that sums and products of them meet by chance only.
rng = random.Random(1964)
GRID = [round(rng.choice((-1, 1)) * rng.uniform(0.06, 2.0), 6) for _ in range(251)]


class Builder:
    """A program that grows.

    Args:
        choose: choose(n) is a number from 0 to n - 1.
        namespace: the words under which steps run, without a recorder.
        array_of: the NumPy array that shares the memory of a value.
        portable: only what means the same in PyTorch. Else also what only NumPy's rules define (writes into the view
            that flip gives, values that overlap what they are written to, the last of repeated places wins), and
            nothing that central differences do not see (writes behind the back of the graph).
    """

    def __init__(self, choose, namespace, array_of, portable):
        self.choose, self.namespace, self.array_of, self.portable = choose, namespace, array_of, portable
        self.values, self.arrays, self.groups = {}, {}, {}
        self.leaves, self.steps = {}, []
        self.visible = []  # the names that may be picked, the latest last
        self.written = set()  # groups of memory
        self.stretched = (
            set()
        )  # names that expand and broadcast_to gave, and views of them: read-only in tt_tensor
        self.grid = choose(len(GRID))

    # --- choices ----------------------------------------------------------------------------------------

    def one_of(self, options):
        return options[self.choose(len(options))]

    def chance(self, n):
        """True once in n."""
        return self.choose(n) == n - 1

    def number(self):
        return self.one_of((2.0, -0.5, 1.5, 0.25, -1.0, 3))

    def pick(self, fits=None):
        """The name of an earlier value, the latest being the simplest; None if none fits."""
        names = [name for name in reversed(self.visible) if fits is None or fits(self.arrays[name])]
        # Half of the time one of the last three, so that what was made is used.
        return self.one_of(names[: 3 if self.choose(2) == 0 else None]) if names else None

    def pick_or_leaf(self, fits, shape):
        """A value that fits, or a new leaf of `shape`."""
        names = [name for name in reversed(self.visible) if fits(self.arrays[name])]
        room = len(self.leaves) < LEAVES
        which = self.choose(len(names) + room) if names or room else None
        if which is None:
            return self.made("full", list(shape), 0.75, dtype="float64")
        return names[which] if which < len(names) else self.leaf(shape)

    def operand(self, shape):
        """A value that broadcasts with `shape`."""

        def fits(array):
            try:
                return np.prod(np.broadcast_shapes(array.shape, shape)) <= LARGEST
            except ValueError:
                return False

        return self.pick_or_leaf(fits, self.stretchable(shape))

    def operand_into(self, shape):
        """A value that broadcasts to `shape`."""

        def fits(array):
            try:
                return np.broadcast_shapes(array.shape, shape) == shape
            except ValueError:
                return False

        return self.pick_or_leaf(fits, self.stretchable(shape))

    def stretchable(self, shape):
        """`shape`, or one that broadcasts to it."""
        kind = self.choose(4)
        if kind == 1 and shape:
            return shape[1:]
        if kind == 2:
            return tuple(1 if self.chance(2) else size for size in shape)
        return () if kind == 3 else shape

    def axis(self, array):
        axis = self.choose(array.ndim)
        return axis - array.ndim if self.chance(3) else axis

    def axes(self, array):
        """None, an axis, or several."""
        kind = self.choose(3) if array.ndim else 0
        if kind == 0:
            return None
        if kind == 1 or array.ndim == 1:
            return self.axis(array)
        first = self.choose(array.ndim)
        return [first, (first + 1 + self.choose(array.ndim - 1)) % array.ndim]

    # --- growth -----------------------------------------------------------------------------------------

    def leaf(self, shape):
        name = f"x{len(self.leaves)}"
        numbers = [GRID[(self.grid + k) % len(GRID)] for k in range(int(np.prod(shape)))]
        self.grid += len(numbers)
        self.leaves[name] = np.reshape(numbers, shape).tolist()
        self.values[name] = self.namespace["tensor"](self.leaves[name], dtype="float64")
        self.note(name)
        return name

    def step(self, op, *inputs, results=1, visible=True, **words):
        """One more line; the names of its results."""
        first = sum(len(step.results) for step in self.steps)
        step = Step(op, inputs, words)
        if not step.writes:
            step = replace(step, results=tuple([f"v{first + k}" for k in range(results)]))
        exec(step.source(), self.namespace, self.values)
        self.steps.append(step)
        for name in step.results:
            self.note(name, visible)
            # A reshape of what was stretched is a view as long as NumPy can walk it, when PyTorch copies already.
            shown = [x for x in step.names() if op in RESHAPES or self.groups[x] == self.groups[name]]
            if op in ("expand", "broadcast_to") or self.stretched.intersection(shown):
                self.stretched.add(name)
        if step.writes:
            self.written.add(self.groups[inputs[0]])
        return step.results

    def made(self, op, *inputs, **words):
        """One more value, scaled where it has grown large."""
        (name,) = self.step(op, *inputs, visible=False, **words)
        while np.abs(self.arrays[name]).max(initial=0.0) > 30:
            (name,) = self.step("mul", name, 0.0625, visible=False)
        self.visible.append(name)
        return name

    def made_alike(self, op, *inputs, **words):
        """One more value, of an operation that gives a view here and a copy in PyTorch (or the other way)."""
        if not self.portable:
            return self.made(op, *inputs, **words)
        (name,) = self.step(op, *inputs, visible=False, **words)
        return self.made("clone", name)

    def note(self, name, visible=True):
        array = self.array_of(self.values[name])
        self.arrays[name] = array
        shared = [other for other in self.groups if np.may_share_memory(array, self.arrays[other])]
        self.groups[name] = self.groups[shared[0]] if shared else len(self.groups)
        if visible and array.dtype == np.float64:
            self.visible.append(name)

    # --- domains ----------------------------------------------------------------------------------------

    def positive(self, name):
        """A value of the same shape, from 0.1 upwards."""
        if self.arrays[name].min() >= 0.1:
            return name
        return self.made("add", self.made("square", name), 0.5)

    def not_zero(self, name):
        """A value of the same shape, away from 0."""
        return name if np.abs(self.arrays[name]).min() >= 0.25 else self.positive(name)

    def at_most(self, name, bound):
        """A value of the same shape, no larger than `bound`."""
        while np.abs(self.arrays[name]).max() > bound:
            name = self.made("mul", name, 0.25)
        return name

    def distinct(self, array):
        """No two elements nearly equal; equal ones may be."""
        return self.clear(np.diff(np.sort(array, axis=None)))

    def apart(self, x, y):
        """Nowhere nearly equal; equal they may be."""
        return self.clear(np.abs(self.of(x) - self.of(y)))

    def clear(self, gaps):
        """Large, or 0: then both sides are the same thing, or constant. Not after detach, of which one side moves."""
        return bool(
            np.all((gaps > APART) | ((gaps == 0) & ("detach" not in {step.op for step in self.steps})))
        )

    def of(self, x):
        """The array of a name, or the number itself."""
        return self.arrays[x] if isinstance(x, str) else x

    # --- the end ----------------------------------------------------------------------------------------

    def program(self):
        """The program with one to four outputs, without the steps that none of them depends on."""
        outputs = [self.visible[-1]]
        touched = [name for name in self.visible if self.groups[name] in self.written]
        for names in (touched, self.visible, self.visible):
            if names and not self.chance(4):
                outputs.append(self.one_of(names[::-1]))
        outputs = list(dict.fromkeys(outputs))
        live, kept = set(outputs), []
        for step in reversed(self.steps):
            if step.writes:
                wanted = self.groups[step.inputs[0]] in {self.groups[name] for name in live}
            else:
                wanted = bool(live & set(step.results))
            if wanted:
                kept.append(step)
                live |= step.names()
        leaves = {name: values for name, values in self.leaves.items() if name in live} or self.leaves
        return Program(leaves, tuple(reversed(kept)), tuple(outputs))
