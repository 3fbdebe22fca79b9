"""2018: one step of each network from Python loops to compiled kernels."""
