"""Pictures of what a network does, as matplotlib Figures and, with `path`, as PNG files.

    from tt_vision.pictures import confusion_counts, confusion_matrix
    confusion_matrix(confusion_counts(targets, logits.argmax(axis=1), 10), classes, path="confusion.png")

They need matplotlib: `pip install 'tt-vision[pictures]'`. It is imported when a picture is drawn.
"""

from tt_vision.pictures.activation import class_activation, class_activation_map
from tt_vision.pictures.confusion import confusion_counts, confusion_matrix
from tt_vision.pictures.features import feature_maps
from tt_vision.pictures.filters import first_layer_filters
from tt_vision.pictures.mistakes import worst_mistakes
from tt_vision.pictures.occlusion import occlusion, occlusion_map

__all__ = [
    "class_activation",
    "class_activation_map",
    "confusion_counts",
    "confusion_matrix",
    "feature_maps",
    "first_layer_filters",
    "occlusion",
    "occlusion_map",
    "worst_mistakes",
]
