"""The words of a program in tt_tensor: its own names, and the few that a program writes otherwise."""

import numpy as np

import tt_autograd
import tt_tensor as tt


def backwards(x, axis, start, stop, step):
    return x[(*[slice(None)] * axis, slice(start, stop, step))]


def detach(x):
    return x.detach()


NAMESPACE = {name: getattr(tt, name) for name in tt.__all__} | {
    "array": np.array,
    "backwards": backwards,
    "detach": detach,
    "no_grad": tt_autograd.no_grad,
}
