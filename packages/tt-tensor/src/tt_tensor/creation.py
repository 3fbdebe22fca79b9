"""Making tensors."""

__all__: list[str] = []
