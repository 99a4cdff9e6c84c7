"""A tensor of the module as the source holds it: an expression, with its axes in an order that suits Keras."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Held:
    """How the source writes a tensor.

    Args:
        text: an expression.
        order: axis i of the expression is axis `order[i]` of the module's tensor.
        loose: whether it is an operator's expression, which needs parentheses inside another one.
        items: the expressions of its parts along its first axis, where the source has them one by one, as states of layers.
    """

    text: str
    order: tuple[int, ...]
    loose: bool = False
    items: tuple[Held, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether its axes are in the module's order."""
        return self.order == tuple(range(len(self.order)))

    @property
    def tight(self) -> str:
        """The expression, in parentheses if it needs them inside another one."""
        return f"({self.text})" if self.loose else self.text

    def axis(self, axis: int) -> int:
        """Return the place in the expression of an axis of the tensor, which may be negative."""
        return self.order.index(axis % len(self.order))

    def ordered(self, order: tuple[int, ...]) -> Held:
        """Return the tensor with its axes in another order."""
        if order == self.order:
            return self
        axes = tuple(self.order.index(axis) for axis in order)
        if len(axes) == 2 or axes == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2):
            return replace(
                self,
                text=f"ops.swapaxes({self.text}, -1, -2)" if len(axes) > 2 else f"ops.transpose({self.text})",
                order=order,
                loose=False,
            )
        return replace(self, text=f"ops.transpose({self.text}, {axes})", order=order, loose=False)


def plain_order(rank: int) -> tuple[int, ...]:
    """Return the module's own order of axes."""
    return tuple(range(rank))


def without(order: tuple[int, ...], axes: set[int]) -> tuple[int, ...]:
    """Return an order without some axes of the tensor, the others numbered anew."""
    left = [axis for axis in order if axis not in axes]
    return tuple(sorted(left).index(axis) for axis in left)


def channels_last(rank: int) -> tuple[int, ...]:
    """Return the order of a tensor whose channels, axis 1 in torch, come last, as Keras has them."""
    return (0, *range(2, rank), 1)
