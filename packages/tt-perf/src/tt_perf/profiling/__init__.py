"""Where time, memory and arithmetic go: the profiler, rooflines, scaling, reports on models."""
