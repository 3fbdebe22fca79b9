"""A network with all kinds of parts."""

import pytest

from tt_nn import Identity, Linear, Module, ModuleDict, ModuleList, Parameter, Sequential
from tt_tensor import Tensor


class Net(Module):
    def __init__(self):
        self.first = Linear(2, 3)
        self.blocks = ModuleList([Linear(3, 3), Sequential(Linear(3, 4), Identity())])
        self.heads = ModuleDict({"a": Linear(4, 1), "b": Linear(4, 2)})
        self.scale = Parameter(1.0)
        self.register_buffer("seen", Tensor(0))
        self.register_buffer("cache", Tensor([1.0]), persistent=False)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.heads["a"](x) * self.scale


@pytest.fixture
def net():
    return Net()
