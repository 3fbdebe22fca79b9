"""1969: the XOR problem, and the hidden layer that solves it."""
