"""How a window moves over the axes of a layer: sizes, strides, and the zeros that Keras pads with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from frameworks.models.graph import Shape
from frameworks.models.pytorch.layers.given import Given
from frameworks.models.pytorch.pieces import Helper

PAD_SAME = Helper(
    "pad_same",
    '''\
def pad_same(x, kernel_size, stride, value=0.0):
    """Pad the last axes of x as padding="same" does in Keras: for a step of the window at each multiple of the stride."""
    sides = []
    for size, kernel, step in zip(reversed(x.shape), reversed(kernel_size), reversed(stride)):
        missing = max((-(-size // step) - 1) * step + kernel - size, 0)
        sides += [missing // 2, missing - missing // 2]
    return F.pad(x, sides, value=value)''',
)


@dataclass(frozen=True)
class Window:
    """A window that moves along some axes.

    Args:
        sizes: how far it reaches along each axis, dilation included.
        strides: its step along each axis.
        padding: Keras's word: "valid", "same" or "causal".
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str

    @property
    def rank(self) -> int:
        """The number of axes that it moves along."""
        return len(self.sizes)

    def sides(self, lengths: Sequence[int | None]) -> tuple[int, ...] | None:
        """Return what is padded before and after each axis, the last axis first as in F.pad; None if a length must be known."""
        if self.padding == "causal":
            return (self.sizes[0] - 1, 0)
        if self.padding != "same":
            return (0, 0) * self.rank
        sides: list[int] = []
        for size, step, length in reversed(list(zip(self.sizes, self.strides, lengths, strict=True))):
            if length is None and step > 1 and size > 1:
                return None
            rest = 0 if length is None or length % step == 0 else length % step
            missing = max(size - (rest or step), 0)
            sides += [missing // 2, missing - missing // 2]
        return tuple(sides)

    def padded(self, x: str, lengths: Sequence[int | None], value: str = "") -> str:
        """Return an expression of what is padded, which may call `pad_same`."""
        sides = self.sides(lengths)
        given = f", value={value}" if value else ""
        if sides is None:
            return f"pad_same({x}, {self.sizes}, {self.strides}{given})"
        return f"F.pad({x}, {sides}{given})" if any(sides) else x


def lengths_of(shape: Shape | None, given: Given, rank: int) -> tuple[int | None, ...]:
    """Return the sizes of the axes that a window moves along."""
    if shape is None:
        return (None,) * rank
    return tuple(shape[2:] if given.channels_first else shape[1:-1])


def pad_helpers(given: Given, window: Window) -> tuple[Helper, ...]:
    """Return the helpers that pad in some call of the layer."""
    lengths = [lengths_of(shape, given, window.rank) for shape in given.shapes]
    return (PAD_SAME,) if any(window.sides(each) is None for each in lengths) else ()


def channels_second(x: str, given: Given, rank: int) -> str:
    """Return an expression of a tensor with its channels in axis 1, as torch has them."""
    if given.channels_first:
        return x
    return f"{x}.transpose(1, 2)" if rank == 1 else f"{x}.movedim(-1, 1)"


def as_before(x: str, given: Given, rank: int) -> str:
    """Return an expression of a tensor with its channels where the layer has them."""
    if given.channels_first:
        return x
    return f"{x}.transpose(1, 2)" if rank == 1 else f"{x}.movedim(1, -1)"
