"""Red, green, blue as hue, saturation, value, and back. Source: Smith, "Color gamut transform pairs", 1978."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["hsv_of", "rgb_of"]


def hsv_of(rgb: Any) -> tuple[Any, Any, Any]:
    """(N, 3, H, W) of floats from 0 to 1 → hue (a share of the colour circle), saturation, value, each (N, H, W).

    v = max, s = (max - min) / max, h = the place between the two strongest colours. Gray has hue and saturation 0.
    """
    red, green = rgb[:, 0], rgb[:, 1]
    value = rgb.max(axis=1)
    span = value - rgb.min(axis=1)
    gray = span == 0
    saturation = span / np.where(value > 0, value, 1)
    # Each colour's distance from the strongest one, in units of the span.
    far = (value[:, None] - rgb) / np.where(gray, 1, span)[:, None]
    sixths = np.where(
        value == red,
        far[:, 2] - far[:, 1],
        np.where(value == green, 2 + far[:, 0] - far[:, 2], 4 + far[:, 1] - far[:, 0]),
    )
    hue = sixths / 6
    return hue - np.floor(hue), saturation, value


def rgb_of(hue: Any, saturation: Any, value: Any) -> Any:
    """(N, 3, H, W) of hue, saturation and value (N, H, W).

    colour = v - v s max(0, min(k, 4 - k, 1)), with k = (n + 6 h) mod 6 and n = 5, 3, 1 for red, green, blue.
    """
    rgb = np.empty((hue.shape[0], 3, *hue.shape[1:]), value.dtype)
    chroma = value * saturation
    for channel, n in enumerate((5, 3, 1)):
        k = n + 6 * hue
        k -= 6 * np.floor(k / 6)  # four times as fast as k % 6
        rgb[:, channel] = value - chroma * np.clip(np.minimum(k, 4 - k), 0, 1)
    return np.clip(rgb, 0, 1, out=rgb)
