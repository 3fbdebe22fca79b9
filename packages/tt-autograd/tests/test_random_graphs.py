"""Gradients of random programs: those of PyTorch (goldens/make_graphs.py), or central differences; never another.

Where a write in place overwrites what a rule needs, InPlaceError is the right answer, too.
"""

import importlib.util
import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_autograd
import tt_tensor as tt
from tt_tensor import recorder
from tt_tensor.ops.indexing import PutAt
from tt_tensor.ops.inverting import Det, Inverse, Solve
from tt_tensor.testing import functions_of

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("random_graphs", HERE / "random_graphs" / "__init__.py")
sys.modules["random_graphs"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["random_graphs"])
generator = importlib.import_module("random_graphs.generator")
on_tt = importlib.import_module("random_graphs.on_tt")
program_of = importlib.import_module("random_graphs.program").Program.from_json

EPS = 1e-6


def read_goldens():
    """(program, record) pairs; a record of "gradients" has its arrays."""
    rows = dict(np.load(HERE / "goldens" / "graphs.npz", allow_pickle=False))
    at = dict.fromkeys(rows, 0)

    def take(kind, shapes):
        arrays = []
        for shape in shapes:
            size = int(np.prod(shape))
            arrays.append(rows[kind][at[kind] : at[kind] + size].reshape(shape))
            at[kind] += size
        return arrays

    found = []
    for line in (HERE / "goldens" / "graphs.json").read_text().splitlines():
        record = json.loads(line)
        program = program_of(record)
        if record["expect"] == "gradients":
            leaves = [np.shape(values) for values in program.leaves.values()]
            record["values"], record["gradients"] = (
                take("values", record["shapes"]),
                take("gradients", leaves),
            )
            if record["second"]:
                record["second"] = take("second", leaves)
        found.append((program, record))
    assert all(at[kind] == len(row) for kind, row in rows.items())
    return found


GOLDENS = read_goldens()


def waves(function, arrays):
    """function(k + 1), function(k + 2), … of the shape of array k, for each."""
    return [
        tt.from_numpy(np.asarray(function(k + 1 + np.arange(x.size)).reshape(x.shape)))
        for k, x in enumerate(arrays)
    ]


def arrays_of(grads, leaves):
    """No gradient is one of zeros: whether a rule sends nothing or zeros is its own affair."""
    return [np.zeros(x.shape) if g is None else g.numpy() for x, g in zip(leaves, grads, strict=True)]


class Run:
    """A program, ready to run: from given leaf values, or its own; with detach() as it is, or held constant."""

    def __init__(self, program, constants=None):
        self.program, self.constants = program, constants
        self.call = program.compiled(on_tt.NAMESPACE | ({"detach": constants} if constants else {}))

    def leaves(self, arrays=None):
        arrays = self.program.leaves.values() if arrays is None else arrays
        return [tt.tensor(x, dtype="float64", requires_grad=True) for x in arrays]

    def forward(self, leaves):
        """The outputs, and those that have a gradient, each with the gradient that it gets."""
        if self.constants:
            self.constants.next = 0
        outputs = self.call(*leaves)
        pairs = zip(outputs, waves(np.cos, outputs), strict=True)
        return outputs, [(x, w) for x, w in pairs if x.requires_grad]

    def values(self, arrays=None):
        with tt_autograd.no_grad():
            return [x.numpy() for x in self.forward(self.leaves(arrays))[0]]

    def first_order(self, arrays=None):
        """Outputs and gradients, by grad()."""
        leaves = self.leaves(arrays)
        outputs, wanted = self.forward(leaves)
        values = [x.numpy().copy() for x in outputs]
        if not wanted:
            return values, arrays_of([None] * len(leaves), leaves)
        tensors, weights = zip(*wanted, strict=True)
        return values, arrays_of(tt_autograd.grad(tensors, leaves, weights, allow_unused=True), leaves)

    def by_backward(self):
        """The gradients that backward() adds up, one call for each output."""
        leaves = self.leaves()
        for x, w in self.forward(leaves)[1]:
            x.backward(w, retain_graph=True)
        return arrays_of([x.grad for x in leaves], leaves)

    def second_order(self):
        """The first gradients under create_graph, and the gradients of Σ p · g, p = sin(1), sin(2) …"""
        leaves = self.leaves()
        wanted = self.forward(leaves)[1]
        grads = again = [None] * len(leaves)
        if wanted:
            tensors, weights = zip(*wanted, strict=True)
            grads = tt_autograd.grad(tensors, leaves, weights, create_graph=True, allow_unused=True)
        pairs = zip(grads, waves(np.sin, leaves), strict=True)
        curved = [(g, p) for g, p in pairs if g is not None and g.requires_grad]
        if curved:
            tensors, weights = zip(*curved, strict=True)
            again = tt_autograd.grad(tensors, leaves, weights, allow_unused=True)
        return arrays_of([g if g is None else g.detach() for g in grads], leaves), arrays_of(again, leaves)


def close(found, wanted, rtol, atol):
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol, atol * max(1.0, np.abs(b).max(initial=0.0)), strict=True)


class Constants:
    """detach() for central differences: what comes out of it is what came out the first time."""

    def __init__(self):
        self.known, self.next = [], 0

    def __call__(self, x):
        if self.next == len(self.known):
            self.known.append(x.numpy().copy())
        self.next += 1
        return tt.tensor(self.known[self.next - 1])


def slopes(program):
    """Values, and the gradient of Σ weight · output at each leaf by central differences, from forward alone."""
    run = Run(program, Constants())
    leaves = [np.array(x, dtype=float) for x in program.leaves.values()]
    values = [x.copy() for x in run.values(leaves)]
    weights = [w.numpy() for w in waves(np.cos, values)]

    def total():
        return sum([float(np.sum(x * w)) for x, w in zip(run.values(leaves), weights, strict=True)])

    found = []
    for array in leaves:
        wanted = np.zeros(array.shape)
        for place in np.ndindex(array.shape):
            here = array[place]
            array[place] = here + EPS
            above = total()
            array[place] = here - EPS
            wanted[place] = (above - total()) / (2 * EPS)
            array[place] = here
        found.append(wanted)
    return values, found


def slope_of_the_gradients(program, direction, leaf):
    """How Σ p · (first gradient) changes when one leaf moves in a direction: a central difference of gradients."""
    run = Run(program, Constants())
    arrays = [np.array(x, dtype=float) for x in program.leaves.values()]
    run.values(arrays)  # what detach() gives is held from here on

    def total(eps):
        moved = [array + eps * direction if k == leaf else array for k, array in enumerate(arrays)]
        grads = run.first_order(moved)[1]
        return sum([float(np.sum(g * p.numpy())) for g, p in zip(grads, waves(np.sin, grads), strict=True)])

    return (total(EPS) - total(-EPS)) / (2 * EPS)


class Notes:
    """A recorder that notes, in their order, each application and which memory each write went to."""

    def __init__(self):
        self.applied, self.written, self.clock = [], [], 0

    def record(self, function, inputs, output):
        self.clock += 1
        self.applied.append((self.clock, function, inputs))
        if output is inputs[0]:  # what it saved, its own write may have changed
            self.written.append((self.clock, output.array))
        return True

    def before_write(self, target):
        self.written.append((self.clock, target.array))
        return True

    def recording(self):
        return True

    def of(self, program):
        """What the program does, without any gradient."""
        before = recorder.install(self)
        try:
            run = Run(program)
            run.call(*[x.detach() for x in run.leaves()])
        finally:
            recorder.install(before)
        return self


def owner(array):
    """The array whose memory `array` shows. Writes are counted there, for all views together, as in PyTorch."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def arrays_in(values):
    for value in values:
        for x in value if isinstance(value, list | tuple) else (value,):
            if isinstance(x, np.ndarray | tt.Tensor):
                yield x if isinstance(x, np.ndarray) else x.array


def overwrites(program, inputs=False):
    """Does it write, after some Function kept an array (or had it as an input), into the memory of its owner?"""
    notes = Notes().of(program)
    return any(
        owner(x) is owner(what) and when >= then
        for then, function, given in notes.applied
        for x in arrays_in([*vars(function).values(), *(given if inputs else ())])
        for when, what in notes.written
    )


def ids(expect):
    return [pytest.param(*pair, id=f"{n}") for n, pair in enumerate(GOLDENS) if pair[1]["expect"] == expect]


@pytest.mark.parametrize(("program", "record"), ids("gradients"))
def test_equals_pytorch(program, record):
    try:
        values, grads = Run(program).first_order()
        added = Run(program).by_backward()
    except tt.InPlaceError:
        assert overwrites(program), f"nothing that a rule saved is overwritten in {program!r}"
        return
    close(values, record["values"], 1e-12, 1e-13)
    close(grads, record["gradients"], 1e-9, 1e-11)
    close(added, record["gradients"], 1e-9, 1e-11)


@pytest.mark.parametrize(("program", "record"), [p for p in ids("gradients") if p.values[1]["second"]])
def test_second_order_equals_pytorch(program, record):
    try:
        grads, again = Run(program).second_order()
    except tt.InPlaceError:
        # Higher orders compute values again from the leaves, where a write that the graph was not told of is missing.
        hidden = any(step.op in ("no_grad mul_", "detach") for step in program.steps)
        assert hidden or overwrites(program, inputs=True), (
            f"nothing that is needed is overwritten in {program!r}"
        )
        return
    close(grads, record["gradients"], 1e-9, 1e-11)
    close(again, record["second"], 1e-8, 1e-10)


@pytest.mark.parametrize(("program", "record"), ids("overwritten"))
def test_what_pytorch_refuses_is_refused_or_right(program, record):
    try:
        values, grads = Run(program).first_order()
    except tt.InPlaceError:
        return
    wanted, rise = slopes(program)
    close(values, wanted, 0, 0)
    close(grads, rise, 1e-5, 1e-6)


@pytest.mark.parametrize(("program", "record"), ids("refused"))
def test_a_write_into_a_leaf_is_refused(program, record):
    run = Run(program)
    with pytest.raises(tt.InPlaceError):
        run.forward(run.leaves())


def test_few_are_refused_that_pytorch_does_not_refuse():
    """To refuse is always safe, so it must be seldom: 1 in 20, among programs that write."""
    writing = [p for p, r in GOLDENS if r["expect"] == "gradients" and any(step.writes for step in p.steps)]
    seen = [p for p in writing if not any(step.op in ("no_grad mul_", "detach") for step in p.steps)]
    assert sum(refuses(p, "first_order") for p in writing) <= len(writing) / 20
    assert sum(refuses(p, "second_order") for p in seen) <= len(seen) / 20


def refuses(program, what):
    try:
        getattr(Run(program), what)()
    except tt.InPlaceError:
        return True
    return False


# --- fresh ones -----------------------------------------------------------------------------------------


def drawn(choose, writes):
    return generator.draw(choose, on_tt.NAMESPACE, lambda x: x.numpy(), portable=False, writes=writes)


@st.composite
def programs(draw, writes):
    return drawn(lambda n: draw(st.integers(0, n - 1)), writes)


@settings(max_examples=150)
@given(programs(writes=False))
def test_a_program_has_the_gradients_of_central_differences(program):
    values, grads = Run(program).first_order()
    wanted, rise = slopes(program)
    close(values, wanted, 0, 0)
    close(grads, rise, 1e-5, 1e-6)


@settings(max_examples=300)
@given(programs(writes=True))
def test_a_program_with_writes_has_the_gradients_of_central_differences_or_is_refused(program):
    try:
        values, grads = Run(program).first_order()
    except tt.InPlaceError:
        assert overwrites(program)
        return
    wanted, rise = slopes(program)
    close(values, wanted, 0, 0)
    close(grads, rise, 1e-5, 1e-6)


@settings(max_examples=150)
@given(programs(writes=True), st.integers(0, 99))
def test_second_derivatives_are_slopes_of_the_first(program, seed):
    try:
        _, first = Run(program).first_order()
        grads, again = Run(program).second_order()
    except tt.InPlaceError:
        assert overwrites(program, inputs=True)
        return
    close(grads, first, 1e-9, 1e-11)
    for leaf, g in enumerate(again):
        direction = np.random.default_rng(seed).normal(size=g.shape)
        rise = slope_of_the_gradients(program, direction, leaf)
        np.testing.assert_allclose(
            np.sum(g * direction), rise, 1e-4, 1e-5 * max(1.0, np.abs(g).max(initial=0.0))
        )


def test_the_programs_have_every_operation():
    writing = [p for p, r in GOLDENS if r["expect"] == "gradients" and any(step.writes for step in p.steps)]
    assert len(GOLDENS) >= 300 and len(writing) >= 120
    fresh = []
    for seed in range(450):
        rng = random.Random(seed)
        fresh.append(drawn(rng.randrange, writes=seed % 2 == 0))
    every = [p for p, r in GOLDENS if r["expect"] == "gradients"] + fresh
    applied = {type(function) for program in every for _, function, _ in Notes().of(program).applied}
    # PutAt is what other rules are made of; it is applied in backward. What a program makes of a matrix may well be
    # close to singular, where differences tell nothing of an inverse: tt-tensor's cases of its rules choose theirs.
    assert set(functions_of(tt)) - applied <= {PutAt, Inverse, Solve, Det}
