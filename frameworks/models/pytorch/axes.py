"""The shapes of tensors in words: sizes, and names for the axes whose size is free."""

from __future__ import annotations

from frameworks.models.graph import Shape

_FREE = {
    2: ("batch", "time"),
    3: ("batch", "time", "features"),
    4: ("batch", "height", "width", "channels"),
    5: ("batch", "time", "height", "width", "channels"),
}


def axes(shape: Shape | None) -> str:
    """Return a shape by axis name: (None, None, 64) is "(batch, time, 64)"; "" if it is not known."""
    if shape is None:
        return ""
    names = _FREE.get(len(shape), ("batch", *(f"axis {at}" for at in range(1, len(shape)))))
    shown = [str(size) if size is not None else name for name, size in zip(names, shape, strict=False)]
    return f"({', '.join(shown)}{',' if len(shown) == 1 else ''})"
