"""Pictures of what a language model does, as matplotlib Figures and, with `path`, as PNG files.

    from tt_text.pictures import attention_maps
    with watch_attention() as seen:
        model(ids)
    attention_maps(seen[0][0], tokens, path="layer0.png")

They need matplotlib: `pip install 'tt-text[pictures]'`. It is imported when a picture is drawn.
"""

from tt_text.pictures.attention import attention_maps
from tt_text.pictures.projection import embedding_projection, principal_components

__all__ = ["attention_maps", "embedding_projection", "principal_components"]
