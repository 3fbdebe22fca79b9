"""1988: three interleaved spirals."""

__version__ = "0.1.0"
