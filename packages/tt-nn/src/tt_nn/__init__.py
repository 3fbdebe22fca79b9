"""Modules, layers, activations, losses and initialisation on tt-tensor, with gradients called by hand."""
