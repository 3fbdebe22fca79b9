"""The convolutional network of the trials, its batch and its weights, as NumPy arrays: every library begins from these.

conv3(3→32) conv3(32→32) pool conv3(32→64) conv3(64→64) pool conv3(64→128) pool fc(2048→10), each convolution without
bias and followed by batch norm and ReLU; 128 images of 32 x 32. Forward and backward are 22.2 GFLOP.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BATCH = 128
# (channels in, channels out, pooled afterwards)
LAYERS = ((3, 32, False), (32, 32, True), (32, 64, False), (64, 64, True), (64, 128, True))
FEATURES = 128 * 4 * 4
LEARNING_RATE, MOMENTUM = 0.005, 0.9


def batch(seed: int = 2009) -> tuple[Any, Any]:
    """Images (128, 3, 32, 32) and labels (128,)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(BATCH, 3, 32, 32)).astype(np.float32), rng.integers(0, 10, BATCH)


def start(seed: int = 1998) -> dict[str, Any]:
    """Weights by the names of Sequential(conv, norm, ReLU, [pool], …, Flatten, Linear)."""
    rng = np.random.default_rng(seed)
    state: dict[str, Any] = {}
    place = 0
    for inputs, outputs, pooled in LAYERS:
        scale = (2 / (9 * inputs)) ** 0.5
        state[f"{place}.weight"] = (rng.normal(size=(outputs, inputs, 3, 3)) * scale).astype(np.float32)
        place += 4 if pooled else 3
    state[f"{place + 1}.weight"] = (rng.normal(size=(10, FEATURES)) * 0.02).astype(np.float32)
    state[f"{place + 1}.bias"] = np.zeros(10, np.float32)
    return state


def network(nn: Any) -> Any:
    """The network from a library's layers: tt_vision with tt_nn, or torch.nn."""
    layers: list[Any] = []
    for inputs, outputs, pooled in LAYERS:
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pooled else []
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(FEATURES, 10))
