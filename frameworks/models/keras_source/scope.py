"""The statements of one method while they are written: names, sizes, and how each tensor is held."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from frameworks.errors import NoCounterpartError
from frameworks.models.keras_source.held import Held, plain_order
from frameworks.models.keras_source.layer import KerasLayer
from frameworks.models.keras_source.names import RESERVED
from frameworks.models.pytorch.names import identifier
from frameworks.models.tracing.matching import read_of
from frameworks.models.tracing.sizes import Of, Whole, origin
from frameworks.models.tracing.steps import Block, Constant, Function, Loop, Method, Parameter, Step, Value, values_in
from frameworks.models.tracing.tracing import Trace

_WORD = re.compile(r"[A-Za-z_]\w*")
_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "truediv": "/", "mod": "%", "pow": "**", "neg": "-"}
LONGEST = 60
"""The most characters of an expression that is written inside another one."""
LAST = 90
"""Likewise of one that is returned."""


class Scope:
    """The statements of a method, or of a turn of a loop.

    Args:
        trace: what the module does.
        block: the steps that are written.
        unit: the class whose method it is.
        around: the scope around a loop's turn.
    """

    def __init__(self, trace: Trace, block: Block, unit: Any, around: Scope | None = None) -> None:
        """Count what the steps read."""
        self.trace = trace
        self.block = block
        self.unit = unit
        self.around = around
        self.lines: list[str] = []
        self.at = 0
        self.packed: dict[Value, Any] = around.packed if around else {}
        self._held: dict[Value, Held] = {}
        self._owner: dict[str, Any] = {}
        self._sizes: dict[Any, str] = {}
        self._readers: dict[Value, list[int]] = {}
        self._inlined: list[Step] = []
        self.uses: Counter[Value] = Counter()
        self.names: dict[Value, str] = around.names if around else {}
        for at, step in enumerate(block.steps):
            self._count(step, at)
        for value in values_in(block.result):
            self._count_value(value, len(block.steps))

    def _count_value(self, value: Value, at: int) -> None:
        self.uses[value] += 1
        self._readers.setdefault(value, []).append(at)

    def _count(self, step: Step, at: int) -> None:
        if isinstance(step, Method):
            for value in values_in(step.arguments):
                self._count_value(value, at)
            return
        for structure in read_of(step):
            for value in values_in(structure):
                self._count_value(value, at)
        if isinstance(step, Loop):
            for value in read_in(step.body):
                self._count_value(value, at)
                self._count_value(value, at)  # twice: what a loop reads has a name

    def inline(self, step: Method) -> None:
        """Take the steps of another body for steps of this scope."""
        at = self.block.steps.index(step)
        for inner in step.body.steps:
            self._count(inner, at)
        self._inlined.extend(step.body.steps)

    # Names

    def name(self, wish: str, value: Any = None, *, result: bool = False) -> str:
        """Return a name for a value: the wished one, unless something else that is still needed has it.

        Args:
            wish: the name.
            value: what gets it.
            result: whether it is what the step returns, so that what the step reads is not needed any more.
        """
        first = name = identifier(wish, "y")
        number = 2
        while not self._is_free(name, self.at + result):
            name, number = f"{first}_{number}", number + 1
        self._owner[name] = value
        return name

    def named(self, value: Value) -> str:
        """Return the name that the code of this method gives to a value; "" if it gives none."""
        if value in self.names:
            return self.names[value]
        maker = self.made_by(value)
        return "" if isinstance(maker, Method) else value.name

    def own(self, name: str, value: Any) -> None:
        """Give a value a name that a scope around has too."""
        self._owner[name] = value

    def _is_free(self, name: str, since: int) -> bool:
        if name in RESERVED:
            return False
        if name not in self._owner:
            scope: Scope | None = self.around
            while scope is not None and name not in scope._owner:
                scope = scope.around
            return scope is None
        owner = self._owner[name]
        if not isinstance(owner, Value) or any(reader >= since for reader in self._readers.get(owner, ())):
            return False
        pending = (held for value, held in self._held.items() if any(at >= since for at in self._readers.get(value, ())))
        return all(name not in _WORD.findall(_all_text(held)) for held in pending)

    # Tensors

    def hold(self, value: Value, held: Held) -> None:
        """Let a value stand for an expression, without a statement."""
        self._held[value] = held

    def put(self, value: Value, text: str, order: tuple[int, ...] | None = None, *, loose: bool = False) -> None:
        """Write what a step makes: inside its only reader if it has no name in the module, else as a statement."""
        order = plain_order(len(value.shape)) if order is None else order
        held = Held(text, order, loose)
        if not self.uses[value]:
            return
        returned = self._readers[value] == [len(self.block.steps)]
        if self.uses[value] == 1 and not self.named(value) and len(text) <= (LAST if returned else LONGEST):
            self._held[value] = held
            return
        self.assign(value, held, result=True)

    def assign(self, value: Value, held: Held, wish: str = "", *, result: bool = False) -> str:
        """Write a statement that gives a value a name."""
        name = self.name(self.named(value) or value.name or wish or "x", value, result=result)
        self.write(f"{name} = {held.text}", self.shape_comment(value, held.order))
        self._held[value] = Held(name, held.order)
        return name

    def write(self, line: str, comment: str = "") -> None:
        """Write a line, with a comment where it fits."""
        self.lines.append(f"{line}  # {comment}" if comment and len(line) + len(comment) < 100 and "\n" not in line else line)

    def held(self, value: Any) -> Held:
        """Return how a tensor is held."""
        if isinstance(value, Parameter):
            return Held(self.parameter(value), plain_order(len(value.shape)))
        if isinstance(value, Constant):
            return Held(constant(value), plain_order(value.data.ndim))
        scope: Scope | None = self
        while scope is not None:
            if value in scope._held:
                return scope._held[value]
            scope = scope.around
        raise KeyError(f"value {value.number} of {value.shape} is not written yet")

    def parameter(self, parameter: Parameter) -> str:
        """Return the expression for a parameter."""
        text: str = self.unit.weight(parameter.path)
        return text

    def knows(self, value: Value) -> bool:
        """Return whether a value is written already."""
        return value in self._held or (self.around is not None and self.around.knows(value))

    def made_by(self, value: Any) -> Step | None:
        """Return the step of this scope that makes a value."""
        found = next((step for step in [*self.block.steps, *self._inlined] if any(each is value for each in step.made)), None)
        return found or (self.around.made_by(value) if self.around else None)

    def items_read(self, value: Value, count: int) -> set[int]:
        """Return which entries along its first axis are read of a value."""
        found: set[int] = set()
        for at in self._readers.get(value, ()):
            if at >= len(self.block.steps):
                return set(range(count))
            step = self.block.steps[at]
            index = (
                step.args[1] if isinstance(step, Function) and step.name == "__getitem__" and step.args[0] is value else None
            )
            first = index[0] if isinstance(index, tuple) and index else index
            if type(first) is not int:
                return set(range(count))
            found.add(first % count)
        return found

    def item_name(self, value: Value, place: int) -> str:
        """Return the name that the module gives to an entry of a value."""
        for at in self._readers.get(value, ()):
            if at < len(self.block.steps):
                step = self.block.steps[at]
                if isinstance(step, Function) and step.name in ("__getitem__", "squeeze") and step.made and step.made[0].name:
                    index = step.args[1] if step.name == "__getitem__" else 0
                    if type(index) is int and (index % (place + 1) == place or index == -1):
                        return step.made[0].name
        return ""

    def size_named(self, name: str) -> str:
        """Return the expression for the size of an axis by the axis's name."""
        scope: Scope | None = self
        while scope is not None:
            for value, held in scope._held.items():
                axes = self.axes(value)
                if name in axes and held.text:
                    return self.size(value, axes.index(name))
            scope = scope.around
        raise KeyError(f"no tensor has an axis {name}")

    # What the class holds

    def layer(self, step: Any, layer: Any, part: int | None = None, wish: str = "") -> str:
        """Return the expression for a layer of the class, which is added at its first call."""
        text: str = self.unit.layer(step.path if not wish else "", layer, part, wish, step)
        return text

    def layer_call(self, step: Step, wish: str, constructor: str, source: Any, *, training: Any) -> None:
        """Write the call of a layer that the module has as a function."""
        name = self.unit.new_layer(wish, KerasLayer(constructor))
        held = self.held(source)
        if held.items and not held.text:
            held = self.plain(source)
        flag = ", training=True" if training is True else ""
        self.put(step.result, f"{name}({held.text}{flag})", held.order)

    def owner_of(self, parameter: Any, path: str) -> str | None:
        """Return the expression for a parameter that another layer of the class has already, or None."""
        text: str | None = self.unit.owner_of(parameter, path)
        return text

    def weight(self, path: str, wish: str) -> str:
        """Return the expression for a weight that the class itself holds."""
        text: str = self.unit.own_weight(path, wish)
        return text

    def bind(self, key: Any, name: str) -> None:
        """Let a size, or the index of a loop, have a name."""
        self._sizes[key] = name

    def plain(self, value: Any) -> Held:
        """Return how a tensor is held, its axes in the module's order; a transposed one gets a name if it is used again."""
        held = self.held(value)
        if held.items and not held.text:
            held = self._stacked(value, held)
        if held.plain:
            return held
        made = held.ordered(plain_order(len(held.order)))
        if isinstance(value, Value) and self.uses[value] > 1:
            self.assign(value, made)
            return self._held[value]
        return made

    def _stacked(self, value: Value, held: Held) -> Held:
        made = Held(f"ops.stack([{', '.join(each.ordered(plain_order(2)).text for each in held.items)}])", plain_order(3))
        if self.uses[value] > 1:
            self.assign(value, made)
            self._held[value] = Held(self._held[value].text, made.order, items=held.items)
            return self._held[value]
        return made

    def arg(self, value: Any, *, tight: bool = False) -> str:
        """Return the expression for an argument: a tensor in the module's order, or a number."""
        if isinstance(value, (Value, Parameter, Constant)):
            held = self.plain(value)
            return held.tight if tight else held.text
        text = self.number(value)
        return f"({text})" if tight and re.search(r" [-+*/%]|^-", text) else text

    # Numbers

    def varies(self, number: Any) -> bool:
        """Return whether a number differs from call to call."""
        of = origin(number)
        if of is None:
            return False
        if of.what == "size":
            value, axis = of.parts
            axes = self.trace.axes.get(value)
            return axes is not None and axes[axis] is not None
        return of.what in ("index", "item") or any(self.varies(part) for part in of.parts)

    def number(self, number: Any) -> str:
        """Return the expression for a number, or for a list or tuple of numbers."""
        if isinstance(number, (list, tuple)):
            inner = ", ".join(self.number(each) for each in number)
            return f"[{inner}]" if isinstance(number, list) else f"({inner}{',' * (len(number) == 1)})"
        if not self.varies(number):
            return literal(number)
        of = origin(number)
        assert of is not None
        if of.what == "size":
            return self.size(*of.parts)
        if of.what == "index":
            return self.index(of.parts[0])
        if of.what == "item":
            value, *at = of.parts
            return f"{self.plain(value).tight}[{at[0]}]" if at else self.plain(value).text
        texts = [self.number(part) for part in of.parts]
        texts = [f"({text})" if re.search(r" [-+*/%]|^-", text) else text for text in texts]
        symbol = _OPERATORS.get(of.what)
        if symbol is None:
            raise NotImplementedError(of.what)
        return f"-{texts[0]}" if len(texts) == 1 else f"{texts[0]} {symbol} {texts[1]}"

    def size(self, value: Value, axis: int) -> str:
        """Return the name of a size, written where it is first needed."""
        scope: Scope | None = self
        while scope is not None:
            if (value, axis) in scope._sizes:
                return scope._sizes[value, axis]
            scope = scope.around
        held = self.held(value)
        if held.items and not held.text:
            held = self.plain(value)
        wish = self.trace.size_names.get((value.number, axis)) or (self.trace.axes[value][axis] or "size").replace("*", "size")
        name = self.name(wish)
        self.write(f"{name} = ops.shape({held.text})[{held.axis(axis)}]")
        self._sizes[value, axis] = name
        return name

    def index(self, loop: Any) -> str:
        """Return the name of a loop's index."""
        scope: Scope | None = self
        while scope is not None:
            if ("index", loop) in scope._sizes:
                return scope._sizes["index", loop]
            scope = scope.around
        raise KeyError("the index of a loop that is not written")

    def size_of(self, value: Any, axis: int) -> Any:
        """Return the size of an axis as a number with its origin."""
        size = value.shape[axis]
        return Whole.made(size, Of("size", (value, axis))) if isinstance(value, Value) else size

    def any_varies(self, value: Any, axes: Iterable[int]) -> bool:
        """Return whether the size of any of these axes varies."""
        return any(self.varies(self.size_of(value, axis)) for axis in axes)

    def assign_text(self, value: Any, held: Held) -> str:
        """Write a statement that gives an expression a name, and return the name."""
        if isinstance(value, Value):
            return self.assign(value, held)
        return self.assign_new("weight", held.text)

    def assign_new(self, wish: str, text: str) -> str:
        """Write a statement that gives an expression a new name, and return the name."""
        name = self.name(wish, object())
        self.write(f"{name} = {text}")
        return name

    # Facts

    def axes(self, value: Value) -> tuple[str | None, ...]:
        """Return the names of the axes that vary."""
        return self.trace.axes.get(value) or (None,) * len(value.shape)

    def shape_comment(self, value: Value, order: tuple[int, ...]) -> str:
        """Return the axes of a tensor as it is held: "(batch, time, 64)"."""
        if value.packed:
            return ""
        axes = self.axes(value)
        sizes = [str(axes[at] or value.shape[at]).replace("*", "...") for at in order]
        return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})" if sizes else ""


def literal(number: Any) -> str:
    """Return a number, a flag, a text or None as code."""
    if isinstance(number, bool) or number is None:
        return str(number)
    if isinstance(number, int):
        return str(int(number))
    if isinstance(number, float):
        number = float(number)
        if number != number or number in (float("inf"), float("-inf")):
            return {"inf": 'float("inf")', "-inf": 'float("-inf")'}.get(str(number), 'float("nan")')
        return repr(number)
    return repr(number)


def constant(value: Constant) -> str:
    """Return a tensor of numbers as code."""
    data = value.data
    dtype = str(data.dtype)
    return f'ops.convert_to_tensor({data.tolist()!r}, dtype="{dtype}")'


def _all_text(held: Held) -> str:
    return " ".join([held.text, *(each.text for each in held.items)])


def refused(step: Step, what: str, must: str, but: str, remedy: str) -> NoCounterpartError:
    """Return the refusal of a step, with its line."""
    return NoCounterpartError.because(f"{what} at {step.line}", must=must, but=but, remedy=remedy)


def read_in(block: Block) -> Iterator[Value]:
    """Yield the values that the steps of a block read, those of its methods' arguments included."""
    for step in block.steps:
        if isinstance(step, Method):
            yield from values_in(step.arguments)
            continue
        for structure in read_of(step):
            yield from values_in(structure)
        if isinstance(step, Loop):
            yield from read_in(step.body)
