"""The option --layer: names of layers, and of their partners."""

from __future__ import annotations

from collections.abc import Container


def read_choice(text: str, known: Container[str]) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Read NAME or NAME=OTHER, each side one name or several with commas; a known name may contain these characters."""
    if text in known:
        return (text,), None
    name, _, other = text.rpartition("=")
    if not name:
        return _names(text, known), None
    return _names(name, known), tuple(other.split(","))


def _names(text: str, known: Container[str]) -> tuple[str, ...]:
    return (text,) if text in known else tuple(text.split(","))
