"""Numbers that remember what they were computed from: the sizes of tensors, the index of a loop, an item of a tensor."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Of:
    """How a number came about.

    Args:
        what: "size" (of an axis of a tensor), "index" (of a loop), "item" (of a tensor with one element), or the name of an
            operator, as in the module `operator`.
        parts: for "size" the tensor's value and the axis; for "index" the loop; for "item" the tensor's value; for an operator
            its operands.
    """

    what: str
    parts: tuple[Any, ...]


class Branch:
    """Receives the comparisons of such numbers: each may decide what a module computes."""

    def __init__(self) -> None:
        """Nothing has been compared yet."""
        self.compared: Callable[[str, Any, Any, bool], None] | None = None


BRANCH = Branch()


class Whole(int):
    """A whole number with its origin. To Python and to torch it is an int."""

    of: Of

    @classmethod
    def made(cls, value: int, of: Of) -> Whole:
        """Return a number with an origin."""
        number = cls(value)
        number.of = of
        return number

    __hash__ = int.__hash__


class Real(float):
    """A number with its origin, as the quotient of two sizes."""

    of: Of

    @classmethod
    def made(cls, value: float, of: Of) -> Real:
        """Return a number with an origin."""
        number = cls(value)
        number.of = of
        return number

    __hash__ = float.__hash__


def _plain(number: Any) -> Any:
    return int(number) if isinstance(number, int) else float(number)


def _combined(name: str, operands: Sequence[Any]) -> Any:
    plain = [_plain(each) for each in operands]
    result = getattr(operator, name)(*plain)
    kind = Whole if isinstance(result, int) else Real
    return kind.made(result, Of(name, tuple(operands)))


def _binary(name: str, *, reflected: bool) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if type(other) not in (int, float, bool, Whole, Real):
            return NotImplemented
        return _combined(name, (other, self) if reflected else (self, other))

    return method


def _unary(name: str) -> Callable[[Any], Any]:
    return lambda self: _combined(name, (self,))


def _comparison(name: str) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, (int, float)):
            return NotImplemented
        result = getattr(operator, name)(_plain(self), _plain(other))
        if BRANCH.compared is not None:
            BRANCH.compared(name, self, other, result)
        return result

    return method


_ARITHMETIC = ("add", "sub", "mul", "floordiv", "truediv", "mod", "pow")
for _kind in (Whole, Real):
    for _name in _ARITHMETIC:
        setattr(_kind, f"__{_name}__", _binary(_name, reflected=False))
        setattr(_kind, f"__r{_name}__", _binary(_name, reflected=True))
    for _name in ("neg", "abs", "pos"):
        setattr(_kind, f"__{_name}__", _unary(_name))
    for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(_kind, f"__{_name}__", _comparison(_name))


def origin(number: Any) -> Of | None:
    """Return how a number came about, or None for a plain one."""
    return number.of if isinstance(number, (Whole, Real)) else None
