"""What a call of a recurrent layer becomes: the runs of its modules, joined as Keras joins them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from frameworks.models.pytorch.pieces import Site, Statements, literal
from frameworks.models.pytorch.recurrent.elements import Element
from frameworks.models.pytorch.recurrent.running import Inputs, Ran, States, Wanted, Writing
from frameworks.options import KerasOptions

_MERGES = {
    "concat": "torch.cat([{}, {}], dim=-1)",
    "sum": "{} + {}",
    "mul": "{} * {}",
    "ave": "({} + {}) / 2",
}


@dataclass(frozen=True, eq=False)
class Plan:
    """The modules of a layer.

    Args:
        options: the options of its call.
        columns: the modules of each direction, one after the other; a bidirectional module stands alone.
        bidirectional: whether the layer has two directions.
        zeroes: whether the outputs at masked steps are zero.
        unreversed: for each direction whether its outputs, in its own order, are zeroed by the mask in the other order, as an
            unrolled layer of Keras does that reads from the end.
    """

    options: KerasOptions
    columns: tuple[tuple[Element, ...], ...]
    bidirectional: bool
    zeroes: bool
    unreversed: tuple[bool, ...] = (False, False)

    @property
    def is_one(self) -> bool:
        """Whether one module computes the layer."""
        return len(self.columns) == len(self.columns[0]) == 1

    @property
    def splits(self) -> bool:
        """Whether the outputs of the directions are returned separately."""
        return self.bidirectional and self.options.merge_mode is None

    def wanted(self, read: Sequence[bool]) -> list[list[Wanted]]:
        """Return what is read of each module of each direction.

        Args:
            read: whether each result of the call is read.
        """
        outputs = 2 if self.splits else 1
        states = [place for place, is_read in zip(self.states(), read[outputs:], strict=False) if is_read]
        reads_output, sequences = any(read[:outputs]), self.options.return_sequences
        return [
            [
                Wanted(
                    sequence=at < len(column) - 1 or (reads_output and sequences),
                    last=at == len(column) - 1 and reads_output and not sequences,
                    states=frozenset(state for where, which, state, _ in states if (where, which) == (direction, at)),
                )
                for at in range(len(column))
            ]
            for direction, column in enumerate(self.columns)
        ]

    def elements(self) -> Iterator[tuple[str, Element]]:
        """Yield each module with its place in the layer: "", "[0]", '["backward_layer"][1]'."""
        for direction, column in enumerate(self.columns):
            half = f'["{_HALVES[direction]}"]' if len(self.columns) == 2 else ""
            for at, element in enumerate(column):
                yield f"{half}{f'[{at}]' if len(column) > 1 else ''}", element

    def states(self) -> list[tuple[int, int, str, int]]:
        """Return the place of each state in Keras's order: the direction, the module, the state's name, its index there."""
        places = []
        for direction in range(2 if self.bidirectional else 1):
            column = self.columns[direction % len(self.columns)]
            for at, element in enumerate(column):
                for layer in range(len(element.cells)):
                    index = layer * element.directions + (direction if element.directions == 2 else 0)
                    places += [(direction % len(self.columns), at, state, index) for state in element.cell.states]
        return places


_HALVES = ("forward_layer", "backward_layer")


def write_call(site: Site, plan: Plan) -> str | Statements:
    """Return what a call of a layer is."""
    return _Call(site, plan).write()


class _Call:
    """One call of a layer."""

    def __init__(self, site: Site, plan: Plan) -> None:
        self.site, self.plan, self.options = site, plan, plan.options
        self.splits, self.outputs = plan.splits, 2 if plan.splits else 1
        self.writing = Writing(site.free)
        self.reads_output = any(name is not None for name in site.names[: self.outputs])
        self.mask = str(site.mask) if site.call.mask is not None else ""

    def write(self) -> str | Statements:
        wanted = self.plan.wanted([name is not None for name in self.site.names])
        runs = [self._direction(at, column, wanted) for at, column in enumerate(self.plan.columns)]
        results = list(self._outputs([column[-1] for column in runs])) if self.reads_output else ["None"] * self.outputs
        results += [self._state(runs, *place) for place in self.plan.states()] if self.options.return_state else []
        if not self.writing.lines and len(results) == 1:
            return results[0]
        return Statements(tuple(self.writing.lines), tuple(results))

    def _direction(self, direction: int, column: Sequence[Element], wanted: list[list[Wanted]]) -> list[Ran]:
        flips = self.options.go_backwards != bool(direction)
        x, mask = (f"{each}.flip(1)" if flips and each else each for each in (str(self.site.x), self.mask))
        given = initial_states(self.site)
        module = f'{self.site.module}["{_HALVES[direction]}"]' if len(self.plan.columns) == 2 else self.site.module
        runs: list[Ran] = []
        for at, element in enumerate(column):
            states: States = {}
            for value, (where, which, state, _) in zip(given, self.plan.states(), strict=bool(given)) if given else ():
                if (where, which) == (direction, at):
                    states.setdefault(state, []).append(value)
            training = "True" if self.site.training else "self.training"
            inputs = Inputs(runs[-1].sequence if runs else x, mask, states, training)
            place = f"[{at}]" if len(column) > 1 else ""
            to = str(self.site.names[0] or "") if self._is_direct(column, at) else ""
            runs.append(self.writing.run(element, f"{module}{place}", inputs, wanted[direction][at], to=to))
        return runs

    def _is_direct(self, column: Sequence[Element], at: int) -> bool:
        """Return whether the variable of the result can hold the outputs of a module: nothing reads an argument after it."""
        alone = len(self.plan.columns) == 1 and at == len(column) - 1
        is_changed = self.mask and self.plan.zeroes and any(name is not None for name in self.site.names[self.outputs :])
        return alone and self.options.return_sequences and not self.splits and not is_changed

    def _outputs(self, ends: list[Ran]) -> Iterator[str]:
        """Yield the outputs of the layer: one, or one for each direction."""
        zeroed = self._zeroed(ends)
        if self.options.return_sequences and zeroed and any(self.plan.unreversed):
            halves, zeroed = self._zeroed_apart(ends), ""
        elif self.options.return_sequences:
            halves = [ends[0].sequence, *(f"{end.sequence}.flip(1)" for end in ends[1:])]
        else:
            halves = [each for end in ends for each in end.last]
        if len(halves) == 1 and self.plan.bidirectional:  # a module of torch, which has joined its directions
            if self.options.merge_mode == "concat":
                yield f"{halves[0]}{zeroed}"
                return
            forward, backward = self.site.free("forward"), self.site.free("backward")
            whole = f"({halves[0]}{zeroed})" if zeroed else halves[0]
            self.writing.lines.append(f"{forward}, {backward} = {whole}.chunk(2, dim=-1)")
            halves, zeroed = [forward, backward], ""
        if self.splits or len(halves) == 1:
            yield from (f"{each}{zeroed}" for each in halves)
            return
        merged = _MERGES[str(self.options.merge_mode)].format(*halves)
        yield f"({merged}){zeroed}" if zeroed and self.options.merge_mode == "sum" else f"{merged}{zeroed}"

    def _zeroed_apart(self, ends: list[Ran]) -> list[str]:
        """Return the outputs of each direction, zeroed by the mask in its order or, if `unreversed`, in the other one."""
        halves = []
        for direction, (end, is_unreversed) in enumerate(zip(ends, self.plan.unreversed, strict=False)):
            reverses = self.options.go_backwards != bool(direction) and not is_unreversed
            half = f"{end.sequence} * {self.mask}{'.flip(1)' if reverses else ''}.unsqueeze(-1)"
            halves.append(f"({half}).flip(1)" if direction else half if len(ends) == 1 else f"({half})")
        return halves

    def _zeroed(self, ends: list[Ran]) -> str:
        """Return the factor that makes outputs at masked steps zero; "" if there is none."""
        if any(end.is_zeroed for end in ends):
            return ""
        if not (self.mask and self.plan.zeroes):
            kept = any(end.keeps_states for end in ends) and not self.options.return_sequences
            return f" * {self.mask}.any(dim=1, keepdim=True)" if kept else ""
        mask = f"{self.mask}.flip(1)" if self.options.go_backwards else self.mask
        if self.options.return_sequences:
            return f" * {mask}.unsqueeze(-1)"
        return f" * {self.mask}[:, :1]" if self.options.go_backwards else f" * {self.mask}[:, -1:]"

    def _state(self, runs: list[list[Ran]], direction: int, at: int, state: str, index: int) -> str:
        finals = runs[direction][at].states.get(state)
        return finals[index] if finals else "None"


def initial_states(site: Site) -> list[str]:
    """Return the expressions of the initial states of a call, each (batch, hidden); [] if it has none."""
    given = flat(site.kwargs.get("initial_state"))
    read = flat(site.call.kwargs.get("initial_state"))
    return [
        f"{literal(name)}.expand({site.x}.shape[0], -1)"
        if (site.graph.shapes.get(tensor) or (None,))[0] == 1
        else literal(name)
        for name, tensor in zip(given, read, strict=True)
    ]


def flat(value: Any) -> Iterator[Any]:
    """Yield the states in a list that may be nested."""
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from flat(each)
    elif value is not None:
        yield value
