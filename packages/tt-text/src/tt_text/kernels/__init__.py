"""Kernels of tt_text: each file one way to compute an operation."""
