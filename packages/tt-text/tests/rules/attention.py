import numpy as np

from tt_tensor.testing import Case, layouts, sample
from tt_text.attention import AttentionFunction, PackedAttentionFunction
from tt_text.kernels.attention import AttentionForm

PLAIN = AttentionForm(0.6)
CAUSAL = AttentionForm(0.5, causal=True)


def bools(shape, seed, share=0.6):
    return np.random.default_rng(seed).random(shape) < share


def added(shape, seed, share=0.0):
    """Numbers to add, some of them -inf; those have no neighbours for a central difference, so they are float32."""
    values = sample(shape, seed, -1.0, 1.0)
    if not share:
        return values
    values[bools(shape, seed + 1, share)] = -np.inf
    return values.astype(np.float32)


def case(name, q, k, v, form=PLAIN, *masks, last=False):
    inputs = (sample(q, 1), sample(k, 2), sample(v, 3), *masks)
    return Case(name, lambda: AttentionFunction(form, last), inputs)


def windows():
    q, k, v = (1, 2, 5, 2), (1, 2, 4, 2), (1, 2, 4, 3)
    for causal in (False, True):
        for window in (1, 2, 9):
            for offset in (-2, 0, 3):
                form = AttentionForm(0.5, causal, offset, window)
                yield case(f"causal {causal}, window {window}, offset {offset}", q, k, v, form)


def masked():
    q, k, v = (2, 2, 3, 2), (2, 2, 4, 2), (2, 2, 4, 3)
    for shape in ((3, 4), (1, 4), (3, 1), (1, 1), (2, 3, 4), (2, 1, 3, 4), (2, 2, 3, 4), (1, 2, 1, 4)):
        yield case(f"bools {shape}", q, k, v, PLAIN, bools(shape, 5))
        yield case(f"numbers {shape}", q, k, v, PLAIN, added(shape, 5))
    yield case("numbers and -inf", q, k, v, PLAIN, added((2, 2, 3, 4), 5, 0.4))
    nothing = bools((2, 2, 3, 4), 5)
    nothing[0, :, 1] = False
    yield case("rows that see nothing", q, k, v, PLAIN, nothing)
    yield case("no row sees anything", q, k, v, PLAIN, np.zeros((3, 4), bool))
    yield case("rows of -inf", q, k, v, PLAIN, np.where(nothing, 0.0, -np.inf).astype(np.float32))
    yield case("causal and bools", q, k, v, AttentionForm(0.5, True, 1), bools((2, 1, 3, 4), 6))
    yield case("causal and numbers", q, k, v, AttentionForm(0.5, True, 1), added((3, 4), 6))
    keep = AttentionForm(0.5, keep=1.6)
    drop = bools((2, 2, 3, 4), 7)
    yield case("dropout", q, k, v, keep, None, drop)
    yield case("dropout and bools", q, k, v, keep, bools((3, 4), 8), drop)
    yield case("dropout and numbers", q, k, v, keep, added((2, 2, 3, 4), 8), drop)
    yield case("dropout, causal", q, k, v, AttentionForm(0.5, True, 1, keep=1.6), None, drop)
    yield case("all dropped", q, k, v, AttentionForm(0.5, keep=0.0), None, np.zeros((2, 2, 3, 4), bool))
    yield case(
        "one mask in the heads last",
        (2, 3, 2, 2),
        (2, 4, 2, 2),
        (2, 4, 2, 3),
        PLAIN,
        added((2, 1, 3, 4), 4),
        last=True,
    )
    yield case("3 axes, numbers", (2, 3, 2), (2, 4, 2), (2, 4, 2), PLAIN, added((2, 1, 4), 5))
    yield case("2 axes, numbers", (3, 2), (4, 2), (4, 2), PLAIN, added((3, 4), 5))
    yield case(
        "5 axes, numbers", (2, 2, 1, 3, 2), (2, 2, 1, 3, 2), (2, 2, 1, 3, 2), PLAIN, added((2, 1, 1, 3, 3), 5)
    )


def shapes():
    yield case("2 axes", (3, 2), (4, 2), (4, 3))
    yield case("2 axes, causal", (4, 2), (3, 2), (3, 3), CAUSAL)
    yield case("3 axes", (2, 3, 2), (2, 4, 2), (2, 4, 3))
    yield case("3 axes, one of keys", (2, 3, 2), (1, 4, 2), (2, 4, 3))
    yield case("axes are broadcast", (2, 3, 2), (4, 2), (4, 3))
    yield case("4 axes", (2, 2, 3, 2), (2, 2, 4, 2), (2, 2, 4, 3))
    yield case("4 axes, one of values", (2, 2, 3, 2), (2, 2, 4, 2), (1, 2, 4, 3), CAUSAL)
    yield case("5 axes", (2, 1, 2, 3, 2), (2, 1, 2, 4, 2), (2, 1, 2, 4, 1), CAUSAL)
    for heads, groups in ((4, 2), (3, 1), (6, 3)):
        yield case(
            f"{heads} heads share {groups}", (2, heads, 3, 2), (2, groups, 4, 2), (2, groups, 4, 2), CAUSAL
        )
        yield case(
            f"{heads} share {groups}, heads last",
            (2, 3, heads, 2), (2, 4, groups, 2), (2, 4, groups, 3), CAUSAL, bools((2, 1, 1, 4), 4), last=True,
        )  # fmt: skip
        numbers = added((1, heads, 3, 4), 5)
        yield case(
            f"{heads} share {groups}, numbers",
            (2, heads, 3, 2),
            (2, groups, 4, 2),
            (2, groups, 4, 2),
            PLAIN,
            numbers,
        )
    yield case("heads last", (2, 3, 2, 2), (2, 4, 2, 2), (2, 4, 2, 3), last=True)
    yield case("heads last, 3 axes", (3, 2, 2), (4, 2, 2), (4, 2, 3), CAUSAL, last=True)
    nothing = {
        "no batch": ((0, 2, 3, 2), (0, 2, 4, 2), (0, 2, 4, 2)),
        "no queries": ((2, 2, 0, 2), (2, 2, 4, 2), (2, 2, 4, 2)),
        "no keys": ((2, 2, 3, 2), (2, 2, 0, 2), (2, 2, 0, 3)),
        "no features": ((2, 2, 3, 0), (2, 2, 4, 0), (2, 2, 4, 2)),
        "no values": ((2, 2, 3, 2), (2, 2, 4, 2), (2, 2, 4, 0)),
        "nothing": ((0, 2), (0, 2), (0, 2)),
    }
    for name, given in nothing.items():
        yield case(name, *given, CAUSAL)
        yield case(f"{name}, all in sight", *given)
    for index, (kind, x) in enumerate(layouts((2, 2, 3, 4), 4, -2.0, 2.0)):
        others = [sample((2, 2, 3, 4), 5), sample((2, 2, 3, 4), 6)]
        yield Case(kind, lambda: AttentionFunction(CAUSAL), (*others[:index], x, *others[index:]))
    x = sample((2, 2, 3, 2), 8)
    yield Case("one for all", lambda: AttentionFunction(CAUSAL), (x, x, x))
    large = tuple(sample((1, 2, 3, 2), seed, -40.0, 40.0) for seed in (1, 2, 3))
    yield Case("large scores", lambda: AttentionFunction(AttentionForm(1.0)), large)


def packed():
    forms = {
        "": PLAIN,
        "causal": CAUSAL,
        "window": AttentionForm(0.5, False, 0, 2),
        "causal window": AttentionForm(0.5, True, 0, 2),
        "offset": AttentionForm(0.5, True, -1),
    }
    sizes = [(1, 1, 2, 3, 2), (2, 2, 2, 4, 1), (4, 2, 1, 3, 2), (3, 1, 2, 3, 1)]
    for heads, groups, n, t, d in sizes:
        for name, form in forms.items():
            yield Case(
                f"{heads} heads, {groups} of keys, {name}",
                lambda form=form, heads=heads, groups=groups: PackedAttentionFunction(form, heads, groups),
                (sample((n, t, (heads + 2 * groups) * d), 1),),
            )
    for shape in ((0, 3, 8), (2, 0, 8), (2, 3, 0), (1, 1, 8)):
        yield Case(f"{shape}", lambda: PackedAttentionFunction(CAUSAL, 2, 1), (sample(shape, 1),))
    for kind, x in layouts((2, 3, 12), 4, -2.0, 2.0):
        yield Case(kind, lambda: PackedAttentionFunction(CAUSAL, 2, 2), (x,))


CASES = {
    AttentionFunction: [*masked(), *shapes(), *windows()],
    PackedAttentionFunction: [*packed()],
}
