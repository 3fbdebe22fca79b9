"""Modes: networks in evaluation for a while, unrecorded, each layer back in the mode that it had afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tt_nn import Module
from tt_tensor import recorder

__all__ = ["evaluating"]


@contextmanager
def evaluating(*networks: Module) -> Iterator[None]:
    """Within the block they predict, and nothing is recorded."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        for network in networks:
            network.eval()
        with recorder.paused():
            yield
    finally:
        for module, training in modes:
            module.training = training
