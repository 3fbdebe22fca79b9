import numpy as np

from tt_nn.losses import binary, categorical, divergence, regression, soft
from tt_tensor.testing import Case, layouts, sample

REDUCTIONS = ("mean", "sum", "none")
SHAPES = [(), (1,), (5,), (0,), (3, 4), (0, 3), (2, 3, 4), (2, 1, 2, 3)]


def pairs(make, low=-2.0, high=2.0, low2=-2.0, high2=2.0, reductions=REDUCTIONS):
    """Prediction and target of one shape, under every reduction; a mean over nothing is NaN, so not there."""
    found = [
        Case(
            f"{shape} {how}",
            lambda how=how: make(how),
            (sample(shape, 1, low, high), sample(shape, 2, low2, high2)),
        )
        for shape in SHAPES
        for how in reductions
        if 0 not in shape or "mean" not in how
    ]
    for kind, x in layouts((3, 4), 3, low, high):
        found.append(Case(kind, lambda: make("mean"), (x, sample((3, 4), 4, low2, high2))))
    both = sample((3,), 5, max(low, low2), min(high, high2))
    return [*found, Case("twice", lambda: make("sum"), (both, both))]


def weighted(make, low, high, *weights):
    return [
        Case(
            f"weights {[w if w is None else w.shape for w in weights]} {how}",
            lambda how=how: make(how),
            (sample((4, 3), 1, low, high), sample((4, 3), 2, 0.0, 1.0), *weights),
        )
        for how in REDUCTIONS
    ]


# Predictions, and targets that name a class; -100 is ignored.
ROWS = [
    ((3,), np.array(2)),
    ((4, 3), np.array([0, 2, 1, 1])),
    ((4, 3), np.array([0, -100, 1, -100])),
    ((1, 1), np.array([0])),
    ((2, 3, 2), np.array([[0, 2], [-100, 1]])),
    ((2, 3, 2, 2), np.array([[[0, 2], [1, 1]], [[2, 2], [0, 0]]])),
    ((4, 3), np.array([0, 2, 1, 1], np.int32)),
    ((3, 2), np.array([-100, -100, -100])),
]


def named(make, smoothings=(0.0,)):
    found = []
    for shape, target in ROWS:
        for how in REDUCTIONS:
            for smoothing in smoothings:
                weight = sample((shape[1 if len(shape) > 1 else 0],), 9, 0.5, 2.0)
                for w in (None, weight):
                    found.append(
                        Case(
                            f"{shape} {target.tolist()} {how} {smoothing} {'' if w is None else 'weighted'}",
                            lambda how=how, smoothing=smoothing, w=w: make(-100, smoothing, how, w),
                            (sample(shape, 1), target),
                        )
                    )
    for kind, x in layouts((4, 4), 3, -2.0, 2.0):
        found.append(Case(kind, lambda: make(-100, smoothings[-1], "mean"), (x, np.array([0, 1, 3, 2]))))
    masked = sample((3, 4), 4)
    masked[0, 1] = masked[2, 3] = -np.inf
    found.append(
        Case("ignored class in range", lambda: make(2, 0.0, "mean"), (sample((4, 3)), np.array([0, 2, 1, 2])))
    )
    return found


def likely():
    found = []
    for shape in [(3,), (4, 3), (2, 3, 2), (1, 4)]:
        axis = 1 if len(shape) > 1 else 0
        t = sample(shape, 2, 0.1, 1.0)
        t = t / t.sum(axis=axis, keepdims=True)
        weight = sample((shape[axis],), 9, 0.5, 2.0)
        for how in REDUCTIONS:
            for smoothing in (0.0, 0.2):
                for w in (None, weight):
                    found.append(
                        Case(
                            f"{shape} {how} {smoothing} {'' if w is None else 'weighted'}",
                            lambda how=how, smoothing=smoothing, w=w: soft.SoftCrossEntropyFunction(
                                smoothing, how, w
                            ),
                            (sample(shape, 1), t),
                        )
                    )
    return found


CASES = {
    regression.MSEFunction: pairs(regression.MSEFunction),
    regression.L1Function: [case for case in pairs(regression.L1Function) if case.name != "twice"],
    regression.HuberFunction: pairs(lambda how: regression.HuberFunction(0.7, reduction=how))
    + pairs(lambda how: regression.HuberFunction(0.5, 2.0, reduction=how)),
    binary.BCEFunction: pairs(binary.BCEFunction, 0.05, 0.95, 0.0, 1.0)
    + weighted(binary.BCEFunction, 0.05, 0.95, sample((3,), 7, 0.5, 2.0)),
    binary.BCEWithLogitsFunction: pairs(binary.BCEWithLogitsFunction, -4.0, 4.0, 0.0, 1.0)
    + weighted(binary.BCEWithLogitsFunction, -4.0, 4.0, sample((4, 1), 7, 0.5, 2.0))
    + weighted(binary.BCEWithLogitsFunction, -4.0, 4.0, sample((3,), 7, 0.5, 2.0), sample((3,), 8, 0.5, 2.0))
    + weighted(binary.BCEWithLogitsFunction, -4.0, 4.0, None, sample((3,), 8, 0.5, 2.0)),
    categorical.CrossEntropyFunction: named(categorical.CrossEntropyFunction, (0.0, 0.1)),
    categorical.NLLFunction: named(lambda ignored, _, how, w=None: categorical.NLLFunction(ignored, how, w)),
    soft.SoftCrossEntropyFunction: likely(),
    divergence.KLDivFunction: pairs(
        lambda how: divergence.KLDivFunction(False, how),
        low2=0.05,
        high2=0.95,
        reductions=(*REDUCTIONS, "batchmean"),
    )
    + pairs(lambda how: divergence.KLDivFunction(True, how), reductions=(*REDUCTIONS, "batchmean")),
}
