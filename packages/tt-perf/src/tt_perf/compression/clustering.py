"""Weight clustering: all weights of a layer share k values, so a weight is the number of its value.

w[i] = codebook[index[i]]: with k ≤ 256 an index is one byte, with k ≤ 16 half of one, so a layer is 4 or 8 times
smaller, in memory and in the file. The codebook is found by k-means, which makes Σ (w - codebook[index])² small; it can
be trained on, the gradient of a value being the sum of the gradients of the weights that have it.

Sources: Han, Mao & Dally, "Deep Compression", 2016, arXiv:1510.00149; the start: Arthur & Vassilvitskii, "k-means++",
2007; the iteration: Lloyd, 1982.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tt_nn import Module, Parameter
from tt_perf.compression.layers import (
    hand_on_hooks,
    is_convolution,
    is_linear,
    replace_module,
    weights_of,
)
from tt_tensor import Tensor, as_tensor, recorder
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError
from tt_tensor.ops.indexing import GetItem

__all__ = ["Clustered", "cluster", "k_means"]

ROUNDS = 100


def cluster(
    model: Module, clusters: int = 16, *, layers: Sequence[str] | None = None, seed: int = 0
) -> Module:
    """A copy of `model` whose linear layers and convolutions hold their weights as indices and a codebook each.

    Args:
        clusters: how many values a layer has, 1 to 256; fewer where it has fewer different weights.
        layers: names of the layers; by default all linear ones and convolutions. Biases and norms stay as they are.
        seed: of the start of k-means.

    The copy computes as fast as before (the weights are looked up once, until the codebook changes), trains its
    codebooks, and its state dict, and so its file, has the small size. To load such a file, cluster a model of the
    same layers with the same number of clusters, and call `load_state_dict`.

    Raises ArgumentError for a number of clusters out of range, for weights that are nan or inf, and for layers that
    are none or whose weight is tied.
    """
    what = "cluster"
    clusters = whole_number(what, "clusters", clusters, 1)
    if clusters > 256:
        raise ArgumentError(
            f"{what}: an index is one byte, so there are 256 clusters at most, not {clusters}"
        )
    weights_of(what, model, layers)
    small = copy.deepcopy(model)
    small.zero_grad()
    places: dict[int, list[str]] = {}
    for name, parameter in small.named_parameters(remove_duplicate=False):
        places.setdefault(id(parameter), []).append(name)
    for at, (name, parameter) in enumerate(weights_of(what, small, layers).items()):
        owner = name.rpartition(".")[0]
        layer = small.get_submodule(owner)
        if len(places[id(parameter)]) > 1:
            other = next(place for place in places[id(parameter)] if place != name)
            raise ArgumentError(
                f"{what}: {name} is tied to {other}; name the others: layers=[...] without {owner!r}"
            )
        if not (is_linear(layer) or is_convolution(layer)) or not parameter.size:
            raise ArgumentError(f"{what}: {owner!r} is no linear layer or convolution with weights")
        codebook, index = k_means(parameter.array, clusters, seed=seed + at)
        new = Clustered(layer, codebook, index, clusters)
        if layer is small:
            return new
        replace_module(small, owner, new)
    return small


def k_means(
    values: Any, clusters: int, *, seed: int = 0, rounds: int = ROUNDS
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """(codebook, rising; index of the nearest value of it for each of `values`, in their shape, uint8).

    Starts by k-means++: each further value is drawn from `values` with a chance in proportion to the squared distance
    to the nearest one so far. Then each value moves to the mean of its own, until none moves. There are as many as
    `clusters`, or as there are different values.

    Raises ArgumentError for no values, or ones that are nan or inf.
    """
    array = np.asarray(as_tensor(values).array)
    if not array.size or not np.isfinite(array).all():
        raise ArgumentError(
            f"k_means: takes finite numbers, one at least, not an array of shape {array.shape}"
        )
    dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float32)
    # Sorted, the values of one cluster are neighbours: between two borders, and sums are differences of running sums.
    points, inverse, counts = np.unique(
        array.reshape(-1).astype(dtype), return_inverse=True, return_counts=True
    )
    points = points.astype(np.float64)
    if len(points) <= clusters:
        codebook = points
    else:
        codebook = _started(points, counts, clusters, np.random.default_rng(seed))
        codebook = _moved(points, counts, codebook, rounds)
    codebook = np.unique(codebook.astype(dtype))
    nearest = np.searchsorted(_borders(codebook.astype(np.float64)), points, side="left")
    return codebook, nearest[inverse.reshape(array.shape)].astype(np.uint8)


def _borders(codebook: Any) -> Any:
    """Half way between neighbours; a point on a border is the lower one's."""
    return (codebook[1:] + codebook[:-1]) / 2


def _started(points: Any, counts: Any, clusters: int, rng: np.random.Generator) -> Any:
    chosen = [points[rng.choice(len(points), p=counts / counts.sum())]]
    off = (points - chosen[0]) ** 2
    for _ in range(clusters - 1):
        chances = off * counts
        chosen.append(points[rng.choice(len(points), p=chances / chances.sum())])
        off = np.minimum(off, (points - chosen[-1]) ** 2)
    return np.sort(chosen)


def _moved(points: Any, counts: Any, codebook: Any, rounds: int) -> Any:
    """Lloyd's iteration. A value that has no points of its own stays where it is."""
    mass = np.concatenate([[0], np.cumsum(counts)])
    moment = np.concatenate([[0.0], np.cumsum(points * counts)])
    for _ in range(rounds):
        ends = np.concatenate([[0], np.searchsorted(points, _borders(codebook), side="right"), [len(points)]])
        size = np.diff(mass[ends])
        moved = np.where(size > 0, np.diff(moment[ends]) / np.maximum(size, 1), codebook)
        if np.array_equal(moved, codebook):
            break
        codebook = np.sort(moved)
    return codebook


class Clustered(Module):
    """A layer whose weight is codebook[index].

    Args:
        layer: the linear layer or convolution; its bias goes over, its weight is not kept.
        codebook: (k,) values.
        index: uint8, of the weight's shape.
        clusters: how many values the codebook has room for; it is filled up with its last value. Up to 16, two
            indices share a byte.

    Parameters: `codebook`, and `bias` if the layer has one. Buffer: `indices`, uint8, the weight's shape, or half as
    many in a row. Not for gradients by hand: with tt-autograd, the codebook learns.
    """

    def __init__(self, layer: Module, codebook: Any, index: Any, clusters: int) -> None:
        given: Any = layer
        self.shape, self.clusters, self.packed = given.weight.shape, clusters, clusters <= 16
        values = np.asarray(codebook)
        filled = np.concatenate([values, np.full(clusters - len(values), values[-1], values.dtype)])
        self.codebook = Parameter(filled, given.weight.requires_grad)
        self.bias = given.bias
        self.register_buffer("indices", Tensor(pack(index) if self.packed else np.array(index, np.uint8)))
        # What the layer knows beside its weight; in a tuple, so that it is no part of this one.
        shell = copy.copy(given)
        shell.__dict__["weight"] = None
        shell._forward_hooks = None
        hand_on_hooks(given, self)
        self._shell = (shell,)
        self._looked_up: tuple[Any, Any, Any] | None = None

    @property
    def index(self) -> npt.NDArray[np.uint8]:
        """The number of its value, for each weight."""
        stored = self.indices.array  # type: ignore[attr-defined]
        return unpack(stored, self.shape) if self.packed else stored

    def dense(self) -> Any:
        """The weights as an array, looked up anew only where codebook or indices changed."""
        codebook, stored = self.codebook.array, self.indices.array  # type: ignore[attr-defined]
        known = self._looked_up
        if known is None or not np.array_equal(known[0], codebook) or not np.array_equal(known[1], stored):
            known = (codebook.copy(), stored.copy(), codebook[self.index])
            self.__dict__["_looked_up"] = known
        return known[2]

    def forward(self, x: Any) -> Tensor:
        if recorder.recording() and self.codebook.requires_grad:
            weight = GetItem(self.index)(self.codebook)
        else:
            weight = as_tensor(self.dense())
        # A shell of its own for each call: threads may call at the same time.
        shell = copy.copy(self._shell[0])
        shell.__dict__["weight"], shell.__dict__["bias"] = weight, self.bias
        shell.__dict__["training"] = self.training
        found: Tensor = shell(x)
        return found

    def extra_repr(self) -> str:
        kind = type(self._shell[0]).__name__
        return f"{kind}{self.shape}, clusters={self.clusters}"


def pack(index: Any) -> npt.NDArray[np.uint8]:
    """Numbers below 16, two in a byte, the first in the lower half; one row."""
    flat = np.asarray(index, np.uint8).reshape(-1)
    even = np.concatenate([flat, np.zeros(flat.size % 2, np.uint8)])
    packed: npt.NDArray[np.uint8] = even[0::2] | (even[1::2] << 4)
    return packed


def unpack(packed: Any, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """What `pack` packed."""
    both = np.stack([packed & 15, packed >> 4], axis=1).reshape(-1)
    return both[: int(np.prod(shape))].reshape(shape)
