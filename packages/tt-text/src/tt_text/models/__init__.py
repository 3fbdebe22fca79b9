"""Language models: GPT (GPT-2's architecture) and Llama, their configurations, and how they are read from files."""

from tt_text.models.config import GPTConfig, LlamaConfig
from tt_text.models.gpt import GPT
from tt_text.models.language_model import LanguageModel
from tt_text.models.llama import Llama

__all__ = ["GPT", "GPTConfig", "LanguageModel", "Llama", "LlamaConfig"]
