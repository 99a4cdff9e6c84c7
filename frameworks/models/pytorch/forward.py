"""`forward`: a statement for each call, in variables that read like a hand-written module's."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from frameworks.models.graph import ArrivingMask, Call, GivenMask, MadeMask, Mask, ReturnedMask, Tensor, tensors_in
from frameworks.models.pytorch.axes import axes
from frameworks.models.pytorch.dtypes import FLOATING
from frameworks.models.pytorch.masks import expression, is_computed, reads_of, with_parts
from frameworks.models.pytorch.misfits import refusing_misfits
from frameworks.models.pytorch.names import Names, identifier
from frameworks.models.pytorch.parts import Part, Use, masks_of
from frameworks.models.pytorch.pieces import Name, Statements
from frameworks.models.pytorch.tidying import WIDTH

CHAIN = "x"
"""The variable that a chain of layers reuses."""

_RETURNED = WIDTH - len("        return ")
"""The most columns of returned values without brackets, at which a line can be cut."""

_JOINED = 80
"""The most columns of two operations that become one statement."""


@dataclass(frozen=True)
class Forward:
    """The body of `forward`.

    Args:
        arguments: the names of its arguments: the inputs, then the masks that come with them.
        lines: its statements, without indentation; the last one returns.
        results: the names of the outputs.
        values: the variable of the first result of each layer's first call.
    """

    arguments: tuple[str, ...]
    lines: tuple[str, ...]
    results: tuple[str, ...]
    values: Mapping[str, str]


class Writing:
    """Writes the `forward` of one part.

    Args:
        part: the part.
        reserved: the names that no variable may have.
        precision: the dtype that the model computes in.
        casts: whether floating inputs are cast to it, as Keras does.
    """

    def __init__(self, part: Part, reserved: frozenset[str], precision: str = "float32", *, casts: bool = False) -> None:
        """Find where each value is read, and where each mask is computed."""
        self.precision, self.casts = precision, casts
        self.part, self.scope = part, Names(reserved)
        self.uses = [use for use in part.uses if use.same_as is None]
        self.same = {use.call.results[0]: use.same_as for use in part.uses if use.same_as is not None}
        self.tensors: dict[Tensor, Name] = {}
        self.labels: dict[Tensor, Name] = {}
        self.masks: dict[int, Name] = {}
        self.values: dict[str, str] = {}
        self.readers: defaultdict[Tensor, set[int]] = defaultdict(set)
        self.computed: defaultdict[int, list[Mask]] = defaultdict(list)
        self._find_readers()
        self.taken = {id(each) for use in self.uses for mask in use.masks for each in with_parts(mask)}
        self.taken |= {id(each) for mask in part.returned.values() for each in with_parts(mask)}
        returned = sum(len(each.returned) for each in part.nested.values())
        self.one_mask = len(part.arriving) + sum(map(len, self.computed.values())) + returned <= 1

    def run(self) -> Forward:
        """Return the body."""
        inputs = [self._name_input(each) for each in self.part.graph.inputs]
        given = [self._name_mask(ArrivingMask(each)) for each in self.part.arriving]
        lines = [f"{name} = {name}.to({FLOATING})" for name in self._cast(inputs)]
        for at, use in enumerate(self.uses):
            lines += self._masks_before(at)
            made = self._statements(at, use)
            joined = _joined(lines[-1], made[0]) if self._are_operations(at) and lines and len(made) == 1 else ""
            lines = [*lines[:-1], joined] if joined else [*lines, *made]
        lines += self._masks_before(len(self.uses))
        outputs = [self.canonical(each) for each in self.part.graph.outputs]
        results = [self.tensors[each] for each in outputs]
        masks = [self._mask(mask) or "" for _, mask in sorted(self.part.returned.items())]
        returned = ", ".join([*results, *masks])
        if lines and lines[-1].startswith(f"{CHAIN} = ") and returned == CHAIN:
            lines[-1] = f"return {lines[-1].removeprefix(f'{CHAIN} = ')}"
        else:
            lines.append(f"return {returned}" if len(returned) <= _RETURNED else f"return ({returned})")
        if not self.part.has_weights:
            lines = [line.replace(FLOATING, f"torch.{self.precision}") for line in lines]
        labels = tuple(self.labels.get(each, self.tensors[each]) for each in outputs)
        return Forward((*inputs, *given), tuple(lines), labels, self.values)

    def _are_operations(self, at: int) -> bool:
        """Return whether a call and the one before it are operations between layers."""
        layers = self.part.graph.layers
        return at > 0 and all(layers[use.call.layer].is_operation for use in self.uses[at - 1 : at + 1])

    def _cast(self, inputs: list[Name]) -> list[Name]:
        """Return the inputs that are cast."""
        graph = self.part.graph
        floating = [
            name for name, each in zip(inputs, graph.inputs, strict=True) if "float" in graph.dtypes.get(each, "float32")
        ]
        return floating if self.casts else []

    def canonical(self, tensor: Tensor) -> Tensor:
        """Return the tensor itself, or the one that it is under another name."""
        while tensor in self.same:
            tensor = self.same[tensor]
        return tensor

    def _find_readers(self) -> None:
        """Note at which statement each tensor is read, and before which one each mask is computed."""
        makers, carriers = self._origins()
        end = len(self.uses)
        placed: dict[int, int] = {}
        asked = [*((at, mask) for at, use in enumerate(self.uses) for mask in use.masks)]
        asked += [(end, mask) for mask in self.part.returned.values()]
        for at, mask in asked:
            for each in with_parts(mask):
                if is_computed(each) and id(each) not in placed:
                    origin = makers.get((each.layer, each.read)) if isinstance(each, MadeMask) else carriers.get(id(each))
                    placed[id(each)] = at if origin is None else min(at, origin)
                    self.computed[placed[id(each)]].append(each)
                for read in reads_of(each):
                    self.readers[self.canonical(read)].add(placed.get(id(each), at))
        for at, use in enumerate(self.uses):
            for read in use.call.reads:
                self.readers[self.canonical(read)].add(at)
        for output in self.part.graph.outputs:
            self.readers[self.canonical(output)].add(end)

    def _origins(self) -> tuple[dict[tuple[str, Tensor], int], dict[int, int]]:
        """Return where layers make masks of what they read, and where masks are first carried by a result."""
        makers: dict[tuple[str, Tensor], int] = {}
        carriers: dict[int, int] = {}
        for at, use in enumerate(self.uses):
            for read in list(tensors_in(use.call.args))[:1]:
                makers.setdefault((use.call.layer, read), at)
            for result in use.call.results:
                if (mask := self.part.masks.resolved(self.part.graph.masks.get(result))) is not None:
                    carriers.setdefault(id(mask), at)
        return makers, carriers

    def _masks_before(self, at: int) -> Iterator[str]:
        for mask in self.computed[at]:
            value = expression(mask, self.masks, _Canonical(self), self._made)
            yield f"{self._name_mask(mask, at)} = {value}"

    def _made(self, layer: str, read: str) -> str:
        make = self.part.pieces[layer].mask
        if make is None:
            raise AssertionError(f"the piece of {layer} makes no mask")
        return make(read)

    def _statements(self, at: int, use: Use) -> list[str]:
        call = use.call
        masks = [self._mask(self.part.masks.resolved(mask)) for mask in masks_of(call)]
        names = self._wanted(at, call)
        site = self.part.site(call, _Canonical(self), masks, (*names, *self._returned(call)), self.scope.free)
        with refusing_misfits(self.part.graph.layers[call.layer]):
            made = self.part.pieces[call.layer].call(site)
        self.values.setdefault(call.layer, next((name for name in names if name), ""))
        lines = list(made.lines) if isinstance(made, Statements) else []
        values = made.results if isinstance(made, Statements) else names
        if not isinstance(made, Statements):
            lines.append(f"{', '.join(name or '_' for name in names)} = {made}")
        for tensor, name, value in zip(call.results, names, values, strict=True):
            if name and value:
                is_variable = name != value and _is_variable(value)
                lines += [f"{name} = {value}"] if name != value and not is_variable else []
                self.tensors[tensor], self.labels[tensor] = Name(value) if is_variable else name, name
        if names[0]:
            self._comment(lines, names[0], call)
        return lines

    def _comment(self, lines: list[str], name: str, call: Call) -> None:
        """Add the shape of the first result to the line that assigns it, unless it is that of the first argument."""
        shapes = self.part.graph.shapes
        before = next((shapes.get(each) for each in tensors_in(call.args)), None)
        shown = axes(shapes.get(call.results[0]))
        at = next((at for at in range(len(lines))[::-1] if lines[at].startswith((f"{name} =", f"{name},"))), None)
        if shown and shapes.get(call.results[0]) != before and at is not None:
            lines[at] += f"  # {shown}"

    def _wanted(self, at: int, call: Call) -> tuple[Name | None, ...]:
        """Return the variable of each result: the chain's if only the next statement reads it, else one named for the layer."""
        suffixes = self.part.pieces[call.layer].results
        names: list[Name | None] = []
        for number, result in enumerate(call.results):
            if not self.readers[result]:
                names.append(None)
            elif self.readers[result] == {at + 1} and number == 0 and self._leads(result, at + 1):
                names.append(Name(CHAIN))
            else:
                names.append(self._name(result, self._wish(call.layer, suffixes[number] if number < len(suffixes) else "")))
        return tuple(names)

    def _leads(self, tensor: Tensor, at: int) -> bool:
        """Return whether a statement reads a tensor before any other."""
        if at == len(self.uses):
            return len(self.part.graph.outputs) == 1
        return self.canonical(next(iter(self.uses[at].call.reads))) == tensor

    def _wish(self, layer: str, suffix: str) -> str:
        kind = self.part.graph.layers[layer].kind
        wish = kind.removeprefix("ops.") if kind.startswith("ops.") else layer
        return f"{wish}_{suffix}" if suffix else wish

    def _name_input(self, tensor: Tensor) -> Name:
        if identifier(tensor.layer) == CHAIN and self.readers[tensor] <= {0} and CHAIN not in self.tensors.values():
            self.tensors[tensor] = Name(CHAIN)
        return self.tensors.get(tensor) or self._name(tensor, tensor.layer, "input")

    def _name(self, tensor: Tensor, wish: str, otherwise: str = "layer") -> Name:
        self.tensors[tensor] = Name(self.scope.free(wish, otherwise))
        return self.tensors[tensor]

    def _mask(self, mask: Mask | None) -> Name | None:
        """Return the variable of a mask, or None if no piece takes it."""
        if isinstance(mask, GivenMask):
            return self.tensors.get(self.canonical(mask.tensor))
        return None if mask is None else self.masks.get(id(mask))

    def _name_mask(self, mask: Mask, at: int | None = None) -> Name:
        mask = self.part.masks.resolved(mask) or mask
        source = ""
        if isinstance(mask, (MadeMask, ArrivingMask)) and mask.read in self.part.graph.inputs:
            source = mask.read.layer
        elif isinstance(mask, MadeMask):
            source = mask.layer
        elif isinstance(mask, ReturnedMask):
            source = mask.tensor.layer
        elif at is not None and at < len(self.uses):
            source = self.uses[at].call.layer
        name = self.scope.free(f"{source}_mask" if source and not self.one_mask else "mask")
        self.masks[id(mask)] = Name(name)
        return self.masks[id(mask)]

    def _returned(self, call: Call) -> list[Name | None]:
        """Return the variables of the masks that the call of a nested model returns; None for one that nothing takes."""
        nested = self.part.nested.get(call.layer)
        masks = [ReturnedMask(call.results[output]) for output in sorted(nested.returned)] if nested else []
        taken = [id(self.part.masks.resolved(mask)) in self.taken for mask in masks]
        return [self._name_mask(mask) if used else None for mask, used in zip(masks, taken, strict=True)]


def _joined(before: str, line: str) -> str:
    """Return two statements as one, if the second reads the chain's variable once, which the first assigns; else ""."""
    name, _, value = before.partition(" = ")
    target, _, after = line.partition(" = ")
    after, sign, shape = after.partition("  # ")
    reads = list(re.finditer(rf"\b{CHAIN}\b", after))
    if name != CHAIN or "#" in before or len(reads) != 1 or len(before) + len(after) > _JOINED:
        return ""
    start, end = reads[0].span()
    is_argument = after[start - 1 : start] == "(" and after[end : end + 1] in {")", ","}
    is_closed = isinstance(ast.parse(value, mode="eval").body, (ast.Name, ast.Call, ast.Subscript, ast.Attribute))
    return f"{target} = {after[:start]}{value if is_argument or is_closed else f'({value})'}{after[end:]}{sign}{shape}"


def _is_variable(value: str) -> bool:
    """Return whether a value can stand wherever a variable for it could: it is one, or a part of one, that nothing changes."""
    return bool(re.fullmatch(r"[^\W\d]\w*(\[-?\d+\])?", value)) and value != "None" and value.partition("[")[0] != CHAIN


class _Canonical(dict[Tensor, Name]):
    """The variables of tensors, also of those that are another one under another name."""

    def __init__(self, writing: Writing) -> None:
        self.writing = writing

    def __missing__(self, tensor: Tensor) -> Name:
        return self.writing.tensors[self.writing.canonical(tensor)]
