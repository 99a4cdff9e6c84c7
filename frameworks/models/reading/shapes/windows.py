"""Shapes after convolutions, pooling, padding, cropping and upsampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frameworks.models.graph import Shape
from frameworks.models.reading.shapes.seen import ContradictionError, Seen, UnknownShapeError, numbers

Axes = tuple["int | None", ...]


def moved(sizes: Axes, window: Any, strides: Any, padding: Any, dilation: Any = 1) -> Axes:
    """Return the sizes of the axes along which a window moves, after it.

    Args:
        sizes: the sizes before.
        window: the size of the window along each axis, or along all.
        strides: likewise, the steps in which it moves.
        padding: "valid", "same" or "causal".
        dilation: the distance between two elements of the window.
    """
    count = len(sizes)
    each = zip(sizes, numbers(window, count), numbers(strides, count), numbers(dilation, count), strict=True)
    return tuple(_moved(size, (window - 1) * dilation + 1, step, padding) for size, window, step, dilation in each)


def _moved(size: int | None, window: int, step: int, padding: Any) -> int | None:
    if padding not in ("valid", "same", "causal") or step < 1 or window < 1:
        raise UnknownShapeError
    if size is None:
        return None
    if padding == "valid" and size < window:
        raise ContradictionError(f"have at least {window} steps along each axis of its window")
    return -(-(size - window + 1 if padding == "valid" else size) // step)


def split(seen: Seen, lead: int = 1) -> tuple[Axes, int | None, bool]:
    """Return the sizes of the axes of the window, the number of channels, and whether the channels come first."""
    shape, count = seen.first, seen.kind.window
    if len(shape) != lead + count + 1:
        raise ContradictionError(f"have {lead + count + 1} axes")
    first = seen.options.get("data_format") == "channels_first"
    return (shape[lead + 1 :], shape[lead], True) if first else (shape[lead:-1], shape[-1], False)


def joined(batch: Axes, sizes: Axes, channels: int | None, *, first: bool) -> Shape:
    """Return a shape made of its parts."""
    return (*batch, channels, *sizes) if first else (*batch, *sizes, channels)


def convolution(seen: Seen) -> Sequence[Shape]:
    """Return the shape after a convolution, also a separable one."""
    (sizes, channels, first), options = split(seen), seen.options
    kernel, groups = seen.array("kernel"), options.get("groups", 1)
    if kernel is not None and type(groups) is int and channels not in (None, kernel[-2] * groups):
        raise ContradictionError(f"have {kernel[-2] * groups} channels, as its kernel has")
    sizes = moved(sizes, options["kernel_size"], options["strides"], options["padding"], options["dilation_rate"])
    return (joined(seen.first[:1], sizes, numbers(options["filters"], 1)[0], first=first),)


def depthwise(seen: Seen) -> Sequence[Shape]:
    """Return the shape after a depthwise convolution."""
    (sizes, channels, first), options = split(seen), seen.options
    sizes = moved(sizes, options["kernel_size"], options["strides"], options["padding"], options["dilation_rate"])
    channels = None if channels is None else channels * numbers(options["depth_multiplier"], 1)[0]
    return (joined(seen.first[:1], sizes, channels, first=first),)


def transposed(seen: Seen) -> Sequence[Shape]:
    """Return the shape after a transposed convolution."""
    (sizes, _, first), options = split(seen), seen.options
    count, extra = len(sizes), options["output_padding"]
    each = zip(
        sizes,
        numbers(options["kernel_size"], count),
        numbers(options["strides"], count),
        numbers(options["dilation_rate"], count),
        (None,) * count if extra is None else numbers(extra, count),
        strict=True,
    )
    sizes = tuple(
        None if size is None else _spread(size, (window - 1) * dilation + 1, step, options["padding"], extra)
        for size, window, step, dilation, extra in each
    )
    return (joined(seen.first[:1], sizes, numbers(options["filters"], 1)[0], first=first),)


def _spread(size: int, window: int, step: int, padding: Any, extra: int | None) -> int:
    if extra is None:
        return size * step + (max(window - step, 0) if padding == "valid" else 0)
    return (size - 1) * step + window + extra - (2 * (window // 2) if padding == "same" else 0)


def pooling(seen: Seen) -> Sequence[Shape]:
    """Return the shape after pooling."""
    (sizes, channels, first), options = split(seen), seen.options
    strides = options["pool_size"] if options["strides"] is None else options["strides"]
    return (joined(seen.first[:1], moved(sizes, options["pool_size"], strides, options["padding"]), channels, first=first),)


def global_pooling(seen: Seen) -> Sequence[Shape]:
    """Return the shape after pooling over all steps."""
    sizes, channels, first = split(seen)
    return (joined(seen.first[:1], (1,) * len(sizes) if seen.options["keepdims"] else (), channels, first=first),)


def adaptive_pooling(seen: Seen) -> Sequence[Shape]:
    """Return the shape after pooling to a given size."""
    sizes, channels, first = split(seen)
    return (joined(seen.first[:1], numbers(seen.options["output_size"], len(sizes)), channels, first=first),)


def _pairs(value: Any, count: int) -> tuple[tuple[int, ...], ...]:
    """Return the numbers at the front and at the end of each axis."""
    if count == 1 and isinstance(value, (list, tuple)) and len(value) == 2:
        return (numbers(value, 2),)
    if isinstance(value, (list, tuple)) and len(value) == count:
        return tuple(numbers(each, 2) for each in value)
    return tuple((each, each) for each in numbers(value, count))


def _widened(seen: Seen, option: str, sign: int) -> Sequence[Shape]:
    sizes, channels, first = split(seen)
    pairs = _pairs(seen.options[option], len(sizes))
    if any(size is not None and size + sign * sum(pair) < 0 for size, pair in zip(sizes, pairs, strict=True)):
        raise ContradictionError("have as many steps as it cuts off")
    changed = tuple(None if size is None else size + sign * sum(pair) for size, pair in zip(sizes, pairs, strict=True))
    return (joined(seen.first[:1], changed, channels, first=first),)


def padding(seen: Seen) -> Sequence[Shape]:
    """Return the shape after zeros are added around the input."""
    return _widened(seen, "padding", 1)


def cropping(seen: Seen) -> Sequence[Shape]:
    """Return the shape after steps are cut off."""
    return _widened(seen, "cropping", -1)


def upsampling(seen: Seen) -> Sequence[Shape]:
    """Return the shape after steps are repeated."""
    sizes, channels, first = split(seen)
    times = numbers(seen.options["size"], len(sizes))
    changed = tuple(None if size is None else size * each for size, each in zip(sizes, times, strict=True))
    return (joined(seen.first[:1], changed, channels, first=first),)
