"""1986 to 1998: handwritten digits, first by an MLP, then by a convolutional network with the very same training code."""
