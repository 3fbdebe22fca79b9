"""Random expression graphs: a program format, a generator, and the words of tt_tensor and of PyTorch for it."""
