"""What computes nothing: views, copies, gathers. Some of their gradients are sums."""

from __future__ import annotations

from tt_perf.profiling.application import Application
from tt_perf.profiling.formulas.formula import Formula

__all__ = ["FORMULAS"]


def _nothing(a: Application) -> int:
    return 0


def _out(a: Application) -> int:
    return a.n


_VIEW = Formula(_nothing, _nothing, "view")
_MOVE = Formula(_nothing, _nothing, "move")
# Where one element went to several places, the gradients from there are added.
_SPREAD = Formula(_nothing, _out, "move")

COPIES = (
    "Cast", "Clone", "Concatenate", "Flip", "GetItem", "MaskedFill", "Overwrite", "Pad", "PixelShuffleFunction",
    "PixelUnshuffleFunction", "Put", "PutAt", "Roll", "SetItem", "Stack", "Tril", "Triu", "Where",
)  # fmt: skip

FORMULAS = {
    **dict.fromkeys(("Positive", "Reshape", "Transpose"), _VIEW),
    **dict.fromkeys(COPIES, _MOVE),
    "BroadcastTo": Formula(_nothing, _out, "view"),
    "Repeat": _SPREAD,
    "Tile": _SPREAD,
    "TakeAlongAxis": _SPREAD,
    "ScatterAdd": Formula(lambda a: a.size(len(a.inputs) - 1), _nothing),
    # The embedding's gradient: one addition for each number of each row that was read.
    "EmbeddingFunction": Formula(_nothing, lambda a: a.n if a.wants(1) else 0, "move"),
    "BagSum": Formula(lambda a: a.size(), _nothing),
    "AddPositionsFunction": Formula(_out, lambda a: a.n if a.wants(1) else 0),
    # A checkpoint: what it runs again is counted where it runs.
    "Segment": Formula(_nothing, _nothing, "outer"),
}
