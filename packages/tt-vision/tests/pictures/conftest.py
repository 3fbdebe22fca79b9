"""A network small enough to know by heart: maps, ReLU, global average, one Linear."""

import numpy as np
import pytest

import tt_nn as nn
import tt_tensor as tt


class Mix(nn.Module):
    """A convolution with filters of one pixel."""

    def __init__(self, channels, filters):
        rng = np.random.default_rng(0)
        self.weight = nn.Parameter(rng.normal(size=(filters, channels, 1, 1)).astype(np.float32))

    def forward(self, x):
        return tt.einsum("oc,nchw->nohw", self.weight.reshape(self.weight.shape[:2]), x)


class Net(nn.Module):
    def __init__(self, channels=3, filters=6, classes=4):
        self.mix, self.relu, self.drop = Mix(channels, filters), nn.ReLU(), nn.Dropout(0.5)
        self.head = nn.Linear(filters, classes)
        self.head.weight.write(np.random.default_rng(1).normal(size=(classes, filters)))
        self.unused = nn.ReLU()

    def forward(self, x):
        return self.head(self.drop(self.relu(self.mix(x)).mean(axis=(2, 3))))


@pytest.fixture
def net():
    return Net()


@pytest.fixture
def image():
    return np.random.default_rng(1).normal(size=(3, 12, 10)).astype(np.float32)
