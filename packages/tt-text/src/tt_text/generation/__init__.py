"""Text generation: sampling, streaming, beam search, assistants."""

from tt_text.generation.assisted import Draft
from tt_text.generation.beam import Beam, beam_search
from tt_text.generation.generate import generate
from tt_text.generation.sampling import (
    Sampler,
    apply_temperature,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalise_frequency,
    penalise_repetition,
)
from tt_text.generation.stream import stream

__all__ = [
    "Beam",
    "Draft",
    "Sampler",
    "apply_temperature",
    "beam_search",
    "generate",
    "keep_min_p",
    "keep_top_k",
    "keep_top_p",
    "penalise_frequency",
    "penalise_repetition",
    "stream",
]
