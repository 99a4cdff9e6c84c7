"""The statements of one method while they are written: how each tensor is held, sizes, and the lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from frameworks.errors import NoCounterpartError
from frameworks.models.keras_source.held import Held, plain_order
from frameworks.models.keras_source.layer import KerasLayer
from frameworks.models.keras_source.literals import SYMBOLS, constant, in_parentheses, literal, sequence
from frameworks.models.keras_source.local_names import LocalNames
from frameworks.models.keras_source.uses import Uses
from frameworks.models.tracing.sizes import Of, Whole, origin
from frameworks.models.tracing.steps import Block, Constant, Parameter, Step, Value
from frameworks.models.tracing.tracing import Trace

LONGEST = 60
"""The most characters of an expression that is written inside another one."""
LAST = 90
"""Likewise of one that is returned."""
WIDTH = 100
"""The most columns of a line with a comment."""


class Scope:
    """The statements of a method, or of a turn of a loop.

    Args:
        trace: what the module does.
        block: the steps that are written.
        unit: the class whose method it is.
        around: the scope around a loop's turn.
        names: the names that the method's code gives to what other methods make.

    Attributes:
        lines: what is written.
        at: the place of the step that is being written.
        uses: who reads what.
        packed: what stands for each packed sequence.
    """

    def __init__(
        self, trace: Trace, block: Block, unit: Any, around: Scope | None = None, names: Mapping[Value, str] | None = None
    ) -> None:
        """Begin with no line."""
        self.trace = trace
        self.block = block
        self.unit = unit
        self.around = around
        self.lines: list[str] = []
        self.at = 0
        self.uses: Uses = Uses(block, around.uses.names if around else names or {})
        self.packed: dict[Value, Any] = around.packed if around else {}
        self.names: LocalNames = LocalNames(around.names if around else None, self._is_needed, self._pending)
        self._held: dict[Value, Held] = {}
        self._sizes: dict[Any, str] = {}

    def _is_needed(self, owner: Any, since: int) -> bool:
        return not isinstance(owner, Value) or self.uses.read_from(owner, since)

    def _pending(self, since: int) -> Iterator[str]:
        for value, held in self._held.items():
            if self.uses.read_from(value, since):
                yield held.text
                yield from (each.text for each in held.items)

    def _scopes(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.around

    # What is written

    def name(self, wish: str, value: Any = None, *, result: bool = False) -> str:
        """Return a name for a value.

        Args:
            wish: the name, which it gets unless something that is still needed has it.
            value: what gets it.
            result: whether it is what the step returns, so that what the step reads is not needed any more.
        """
        return self.names.free(wish, value, self.at + result)

    def write(self, line: str, comment: str = "") -> None:
        """Write a line, with a comment where it fits."""
        self.lines.append(f"{line}  # {comment}" if comment and len(line) + len(comment) < WIDTH else line)

    def put(self, value: Value, text: str, order: tuple[int, ...] | None = None, *, loose: bool = False) -> None:
        """Write what a step makes: inside its only reader if it has no name in the module, else as a statement."""
        held = Held(text, plain_order(len(value.shape)) if order is None else order, loose)
        longest = LAST if self.uses.is_returned_only(value) else LONGEST
        if self.uses[value] == 1 and not self.uses.named(value) and len(text) <= longest:
            self.hold(value, held)
        elif self.uses[value]:
            self.assign(value, held, result=True)

    def assign(self, value: Value, held: Held, *, result: bool = False) -> str:
        """Write a statement that gives a value a name, and return the name."""
        name = self.name(self.uses.named(value) or value.name or "x", value, result=result)
        self.write(f"{name} = {held.text}", self.shape_comment(value, held.order))
        self.hold(value, Held(name, held.order, items=held.items))
        return name

    def assign_new(self, wish: str, text: str) -> str:
        """Write a statement that gives an expression a name, and return the name."""
        name = self.name(wish, object())
        self.write(f"{name} = {text}")
        return name

    # Tensors

    def hold(self, value: Value, held: Held) -> None:
        """Let a value stand for an expression, without a statement."""
        self._held[value] = held

    def knows(self, value: Value) -> bool:
        """Return whether a value is written already."""
        return any(value in scope._held for scope in self._scopes())  # noqa: SLF001  of this class

    def held(self, value: Any) -> Held:
        """Return how a tensor is held; what has only entries along its first axis has no text yet."""
        if isinstance(value, Parameter):
            return Held(self.unit.weight(value.path), plain_order(len(value.shape)))
        if isinstance(value, Constant):
            return Held(constant(value), plain_order(value.data.ndim))
        return next(scope._held[value] for scope in self._scopes() if value in scope._held)  # noqa: SLF001

    def whole(self, value: Any) -> Held:
        """Return how a tensor is held, as one expression."""
        held = self.held(value)
        return held if held.text or not held.items else self.plain(value)

    def plain(self, value: Any) -> Held:
        """Return a tensor with its axes in the module's order; a transposed one gets a name if it is used again."""
        held = self.held(value)
        if held.text and held.plain:
            return held
        if not held.text:
            items = [each.ordered(plain_order(2)).text for each in held.items]
            made = Held(f"ops.stack({sequence(items, '[]')})", plain_order(3), items=held.items)
        else:
            made = held.ordered(plain_order(len(held.order)))
        if isinstance(value, Value) and self.uses[value] > 1:
            self.assign(value, made)
            return self.held(value)
        return made

    def variable(self, value: Any, held: Held | None = None) -> str:
        """Return the name of a variable that holds a tensor, as it is held, with a statement for one that has none."""
        held = held or self.whole(value)
        if held.text.isidentifier():
            return held.text
        return self.assign(value, held) if isinstance(value, Value) else self.assign_new("weight", held.text)

    def arg(self, value: Any, *, tight: bool = False) -> str:
        """Return the expression for an argument: a tensor in the module's order, or a number."""
        if isinstance(value, (Value, Parameter, Constant)):
            held = self.plain(value)
            return held.tight if tight else held.text
        text = self.number(value)
        return in_parentheses(text) if tight else text

    # Numbers

    def varies(self, number: Any) -> bool:
        """Return whether a number differs from call to call."""
        of = origin(number)
        if of is None:
            return False
        if of.what == "size":
            return self.axes(of.parts[0])[of.parts[1]] is not None
        return of.what in ("index", "item") or any(self.varies(part) for part in of.parts)

    def number(self, number: Any) -> str:
        """Return the expression for a number, or for a list or tuple of numbers."""
        if isinstance(number, (list, tuple)):
            return sequence([self.number(each) for each in number], "[]" if isinstance(number, list) else "()")
        of = origin(number) if self.varies(number) else None
        if of is None:
            return literal(number)
        if of.what in ("size", "index"):
            return self.size(*of.parts) if of.what == "size" else self._bound(("index", *of.parts))
        if of.what == "item":
            value, *at = of.parts
            return f"{self.plain(value).tight}[{at[0]}]" if at else self.plain(value).text
        texts = [in_parentheses(self.number(part)) for part in of.parts]
        symbol = SYMBOLS[of.what]
        return f"-{texts[0]}" if len(texts) == 1 else f"{texts[0]} {symbol} {texts[1]}"

    def bind(self, key: tuple[Any, ...], name: str) -> None:
        """Let the size of an axis, or ("index", loop), have a name."""
        self._sizes[key] = name

    def _bound(self, key: tuple[Any, ...]) -> str:
        return next((scope._sizes[key] for scope in self._scopes() if key in scope._sizes), "")  # noqa: SLF001

    def size(self, value: Value, axis: int) -> str:
        """Return the name of a size, with a statement where it is first needed."""
        if not self._bound((value, axis)):
            held = self.whole(value)
            wish = self.trace.size_names.get((value.number, axis)) or (self.axes(value)[axis] or "size").replace("*", "size")
            self.bind((value, axis), self.assign_new(wish, f"ops.shape({held.text})[{held.axis(axis)}]"))
        return self._bound((value, axis))

    def size_of(self, value: Any, axis: int) -> Any:
        """Return the size of an axis as a number with its origin."""
        size = value.shape[axis]
        return Whole.made(size, Of("size", (value, axis))) if isinstance(value, Value) else size

    def size_named(self, name: str) -> str:
        """Return the expression for the size of the axes of a name."""
        for scope in self._scopes():
            for value, held in scope._held.items():  # noqa: SLF001
                if held.text and name in self.axes(value):
                    return self.size(value, self.axes(value).index(name))
        raise KeyError(name)

    def any_varies(self, value: Any, axes: Iterable[int]) -> bool:
        """Return whether the size of any of these axes varies."""
        return any(self.varies(self.size_of(value, axis)) for axis in axes)

    # Facts

    def axes(self, value: Any) -> tuple[str | None, ...]:
        """Return the names of the axes whose sizes vary, None for the others."""
        return self.trace.axes.get(value) or (None,) * len(value.shape)

    def shape_comment(self, value: Value, order: tuple[int, ...]) -> str:
        """Return the axes of a tensor as it is held: "(batch, time, 64)"."""
        axes = self.axes(value)
        return (
            ""
            if value.packed or not order
            else sequence([str(axes[at] or value.shape[at]).replace("*", "...") for at in order])
        )

    def made_by(self, value: Any) -> Step | None:
        """Return the step that makes a value."""
        return next(filter(None, (scope.uses.maker(value) for scope in self._scopes())), None)

    # What the class holds

    def layer(self, step: Any, layer: KerasLayer, part: int | None = None, wish: str = "") -> str:
        """Return the expression for a layer of the class, which is added at its first call."""
        text: str = self.unit.layer(step.path, layer, part, wish)
        return text


def uncarried(step: Step, what: str, must: str, but: str, remedy: str) -> NoCounterpartError:
    """Return the refusal of a step, with its line."""
    return NoCounterpartError.because(f"{what} at {step.line}", must=must, but=but, remedy=remedy)
