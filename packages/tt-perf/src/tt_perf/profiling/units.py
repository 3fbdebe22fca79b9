"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["amount", "seconds", "size"]


def seconds(value: float) -> str:
    """12.3 µs, 4.56 ms, 7.89 s."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}" if value * factor < 1000 else f"{value * factor:.0f} {unit}"
    return f"{value * 1e9:.0f} ns" if value else "0"


def amount(value: float) -> str:
    """123, 4.56 K, 7.89 M, 1.23 G."""
    for unit, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}" if value < 1000 * factor else f"{value / factor:.0f} {unit}"
    return f"{value:.0f}"


def size(nbytes: float) -> str:
    """512 B, 1.5 KiB, 3.2 MiB."""
    value = float(nbytes)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.2f} GiB"
