"""Layout: which parameters of a group are stepped together, and whether that still holds."""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_optim.flat import movable, overlapping
from tt_optim.segments import START, Clock, Packed, Segment, Single
from tt_tensor import Tensor
from tt_tensor.errors import DTypeError, InPlaceError, ShapeError

if TYPE_CHECKING:
    from tt_optim.optimizer import Optimizer

__all__ = ["SMALL", "Layout"]

SMALL = 1 << 16
"""Parameters of up to this many numbers are packed. Above, one call is long enough to be worth its cost."""


class Layout:
    """The segments of one parameter group.

    It remembers the array of each parameter. A step first checks that they are still the same objects; if
    somebody replaced one (`p.data = ...`, or another list of params), the segments are made anew and the
    state goes with its parameter.
    """

    def __init__(self, optimizer: Optimizer, group: dict[str, Any]) -> None:
        self.params: list[Tensor] = list(group["params"])
        self.names: list[str] | None = group.get("param_names")
        self.segments: list[Segment] = []
        self.arrays: list[np.ndarray] = []
        self.places: dict[int, tuple[Segment, int]] = {}
        self.check_writeable(optimizer, self.params)
        self.build(optimizer)

    def name(self, at: int) -> str:
        return f"parameter {at}" + (f" ({self.names[at]})" if self.names else "")

    def build(self, optimizer: Optimizer) -> None:
        self.segments, self.arrays = [], []
        packs: dict[np.dtype[Any], list[int]] = {}
        staying: list[int] = []
        for at, p in enumerate(self.params):
            small = optimizer.tile is not None and p.array.size <= SMALL
            if small:
                packs.setdefault(p.array.dtype, []).append(at)
            if not small or working(p.array.dtype) != p.array.dtype or not movable(p):
                staying.append(at)
        # Parameters that show the same memory step one after the other, each in place.
        shared = {staying[k] for k in overlapping([self.params[at].array for at in staying])}
        stays, packed = set(staying), set()
        for dtype, members in packs.items():
            members = [at for at in members if at not in shared]
            packed.update(members)
            if members:
                self.pack(optimizer, members, [at not in stays for at in members], working(dtype))
        for at, p in enumerate(self.params):
            if at not in packed:
                self.segments.append(Single(optimizer, at, p.array, working(p.array.dtype)))
        self.places = {
            at: (segment, member) for segment in self.segments for member, at in enumerate(segment.at)
        }
        self.arrays = [p.array for p in self.params]

    def check_writeable(self, optimizer: Optimizer, params: list[Tensor]) -> None:
        for at, p in enumerate(params):
            if not p.array.flags.writeable:
                raise InPlaceError(
                    f"{type(optimizer).__name__}: {self.name(at)} of shape {p.shape} shows read-only memory (a "
                    "broadcast view, or an array that somebody protected), so a step cannot write it; clone() it"
                )

    def pack(
        self, optimizer: Optimizer, members: list[int], adopted: list[bool], dtype: np.dtype[Any]
    ) -> None:
        segment = Packed(optimizer, members, [self.params[at].array for at in members], adopted, dtype)
        for at, piece, moved in zip(members, segment.pieces, adopted, strict=True):
            if moved:
                self.params[at].array = piece
        self.segments.append(segment)

    def step(self, optimizer: Optimizer, group: dict[str, Any]) -> None:
        """One step of every parameter that has a gradient."""
        params, arrays = group["params"], self.arrays
        try:
            # One pass: the gradients, of those whose array is still the one that was laid out.
            grads: list[Any] = [
                p._grad.array for p, array in zip(params, arrays, strict=False) if p.array is array
            ]
            complete = True
        except AttributeError:
            complete = False
        if not complete or not len(grads) == len(arrays) == len(params):
            del arrays
            self.keep_up(optimizer, group)
            grads = [None if p.grad is None else p.grad.array for p in self.params]
            complete = all(grad is not None for grad in grads)
        if len(self.segments) == 1:
            self.segments[0].step(optimizer, group, grads, complete)
            return
        for segment in self.segments:
            part = [grads[at] for at in segment.at]
            segment.step(optimizer, group, part, complete or all(grad is not None for grad in part))

    def keep_up(self, optimizer: Optimizer, group: dict[str, Any]) -> None:
        """Lay out anew if a parameter's array, or the list of parameters, is another than before."""
        arrays = [getattr(p, "array", None) for p in group["params"]]
        same = len(arrays) == len(self.arrays) and all(map(is_, arrays, self.arrays))
        del arrays  # build asks who else holds an array
        if not same:
            self.rebuild(optimizer, group)

    def rebuild(self, optimizer: Optimizer, group: dict[str, Any]) -> None:
        """Lay out anew; each parameter keeps its state."""
        optimizer.check_params(group["params"])
        known = {id(p): (self.clock_of(at), self.state_of(at)) for at, p in enumerate(self.params)}
        shapes = {
            id(p): (array.shape, array.dtype) for p, array in zip(self.params, self.arrays, strict=True)
        }
        for at, p in enumerate(group["params"]):
            shape, dtype = shapes.get(id(p), (p.shape, p.dtype))
            if p.shape != shape:
                raise ShapeError(
                    f"{type(optimizer).__name__}: {self.name(at)} had shape {shape} and now has {p.shape}, which its "
                    "state does not fit; make a new optimizer after changing the shape of a parameter"
                )
            if p.dtype != dtype:
                raise DTypeError(
                    f"{type(optimizer).__name__}: {self.name(at)} was {dtype} and now is {p.dtype}; make a new "
                    "optimizer after changing the dtype of a parameter"
                )
        self.check_writeable(optimizer, group["params"])
        self.params = list(group["params"])
        self.build(optimizer)
        nothing: tuple[Clock, dict[str, np.ndarray]] = (START, {})
        self.load([known.get(id(p), nothing) for p in self.params])

    def clock_of(self, at: int) -> Clock:
        segment, member = self.places[at]
        return segment.clock_of(member)

    def state_of(self, at: int) -> dict[str, np.ndarray]:
        segment, member = self.places[at]
        return segment.state_of(member)

    def load(self, members: list[tuple[Clock, dict[str, np.ndarray]]]) -> None:
        """Replace clock and state of every parameter, in the order of the group."""
        for segment in self.segments:
            segment.load([members[at][0] for at in segment.at], [members[at][1] for at in segment.at])


def working(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype a step computes in and keeps its state in: float32 for float16, which is for storage."""
    return np.dtype(np.float32) if dtype.itemsize < 4 else dtype
