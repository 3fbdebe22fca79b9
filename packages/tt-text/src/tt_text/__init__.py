"""tt_text: tokenizers, embeddings, attention, transformers, generation, and models that others trained."""

__version__ = "0.1.0"

__all__: list[str] = []
