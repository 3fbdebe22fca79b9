"""Compiled kernels, by numba. Each module has kernels of one kind, and imports numba; `table` lists them without it."""
