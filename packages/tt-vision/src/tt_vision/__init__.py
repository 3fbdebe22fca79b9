"""tt_vision: Convolution, pooling and normalisation layers, image datasets and transforms, and convolutional networks in NumPy."""

__version__ = "0.1.0"

__all__: list[str] = []
