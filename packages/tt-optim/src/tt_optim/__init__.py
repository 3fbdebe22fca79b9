"""Optimizers, learning-rate schedules and gradient clipping for tt-tensor and tt-nn."""
