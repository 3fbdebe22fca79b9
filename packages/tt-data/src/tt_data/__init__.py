"""tt_data: Datasets, samplers, a DataLoader with worker processes and exact resume, transforms, verified downloads."""

__version__ = "0.1.0"

__all__: list[str] = []
