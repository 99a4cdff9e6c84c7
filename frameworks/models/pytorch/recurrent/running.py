"""Statements that run the modules of a layer, and expressions of what they return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from frameworks.models.pytorch.masks import without_mask
from frameworks.models.pytorch.pieces import Helper
from frameworks.models.pytorch.recurrent import masked
from frameworks.models.pytorch.recurrent.elements import Element

States = dict[str, list[str]]
"""The expressions of the states of a module, each (batch, hidden), by their names, in the order of torch."""

DROPPED = "drop_features"


@dataclass(frozen=True)
class Wanted:
    """What is read of a run.

    Args:
        sequence: whether the output of every step is read.
        last: whether the output of the last step is read.
        states: the names of the states that are read.
    """

    sequence: bool = False
    last: bool = False
    states: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Inputs:
    """The arguments of a run, as expressions.

    Args:
        x: the inputs.
        mask: the mask, in the order of reading; "" for none.
        states: the initial states by name, each a list in the order of torch; {} for none.
        training: whether the layer is in training.
    """

    x: str
    mask: str = ""
    states: States = field(default_factory=dict)
    training: str = "self.training"


@dataclass(frozen=True)
class Ran:
    """The results of a run, as expressions.

    Args:
        sequence: the output of every step, (batch, time, features).
        last: the output of the last step of each direction.
        states: the final states.
        keeps_states: whether a row without a valid step has its initial state in `last`, where Keras outputs zero.
        is_zeroed: whether the outputs at masked steps are zero already.
    """

    sequence: str
    last: tuple[str, ...]
    states: States
    keeps_states: bool = False
    is_zeroed: bool = False


@dataclass
class Writing:
    """The statements of one call.

    Args:
        free: makes the name of a variable.
        target: the name of the variable of the result, which the last statement may assign; "" for none.
        lines: the statements.
    """

    free: Callable[[str], str]
    target: str = ""
    lines: list[str] = field(default_factory=list)

    def run(self, element: Element, module: str, given: Inputs, wanted: Wanted, *, to: str = "") -> Ran:
        """Write the statement that runs a module.

        Args:
            element: the module.
            module: its expression.
            given: its arguments.
            wanted: what is read of it.
            to: the variable of its outputs; "" for a new one.
        """
        x = given.x
        if element.dropout:
            x = f"{DROPPED}({x}, {element.dropout}, {given.training})"
        mask = given.mask or (without_mask(given.x) if element.takes_mask else "")
        arguments = [x, mask] if mask else [x]
        if given.states:
            arguments.append(_packed_states(element, given.states))
        if element.told:
            arguments.append(f"training={given.training}")
        call = f"{module}({', '.join(arguments)})"
        if not (given.mask and element.skips):
            return self._unpack(element, call, given, wanted, to)
        runs = run_of(element, wanted, continues=bool(given.states))
        call = f"{runs.name}({', '.join([module, *arguments])})"
        shows_all = _shows_all(element, wanted, continues=bool(given.states))
        if not (shows_all or _is_zeroed(element, wanted)):
            return self._unpack(element, call, given, wanted, to, has_outputs=wanted.sequence)
        if wanted.last and not wanted.sequence and not wanted.states:
            return Ran("", (f"{call}[:, -1]",), {})
        y = to or self.free("y")
        self.lines.append(f"{y} = {call}")
        return Ran(y, (f"{y}[:, -1]",), {"h": [f"{y}[:, -1]"]}, is_zeroed=not shows_all)

    def _unpack(self, element: Element, call: str, given: Inputs, wanted: Wanted, to: str, *, has_outputs: bool = True) -> Ran:
        read = {*wanted.states, *(["h"] if wanted.last else [])}
        y = (to or self.free("y")) if wanted.sequence else "_"
        names = {state: self.free(state) if state in read else "_" for state in element.cell.states}
        states = ", ".join(names.values())
        if has_outputs:
            states = "_" if not read else f"({states})" if len(names) > 1 else states
            states = f"{y}, {states}"
        self.lines.append(f"{states} = {call}")
        count = len(element.cells) * element.directions
        places = ["-1"] if count == 1 else [str(at) for at in range(count)]
        finals = {state: [f"{name}[{at}]" for at in places] for state, name in names.items() if name != "_"}
        last = tuple(finals["h"][-element.directions :]) if "h" in finals else ()
        return Ran(y, last, finals, keeps_states=bool(given.mask and given.states))


def run_of(element: Element, wanted: Wanted, *, continues: bool) -> Helper:
    """Return the function that runs a module of torch over a mask: the simplest one that returns all that is read."""
    state = masked.ALWAYS if continues else masked.NEVER
    if _shows_all(element, wanted, continues=continues):
        return masked.over_outputs(state)
    return masked.Packed(
        state,
        lstm="c" in element.cell.states,
        holes=element.holes,
        both_ways=_is_zeroed(element, wanted),
        outputs=wanted.sequence,
        states=not _is_zeroed(element, wanted),
    ).helper()


def _is_zeroed(element: Element, wanted: Wanted) -> bool:
    """Return whether the outputs alone of both directions are read, which Keras makes zero at masked steps."""
    return element.directions == 2 and wanted.sequence and not wanted.states


def _shows_all(element: Element, wanted: Wanted, *, continues: bool) -> bool:
    """Return whether all that is read of a module can be read from its outputs."""
    is_stack = len(element.cells) > 1 and bool(wanted.states)
    needs_states = "c" in wanted.states or ("h" in wanted.states and continues) or is_stack
    return element.holes and element.directions == 1 and not needs_states


def _packed_states(element: Element, states: States) -> str:
    """Return the initial states as the module takes them: h, or (h, c), each (layers * directions, batch, hidden)."""
    made = [_stacked(states[name]) for name in element.cell.states]
    return f"({', '.join(made)})" if len(made) > 1 else made[0]


def _stacked(states: Sequence[str]) -> str:
    if len(states) > 1:
        return f"torch.stack([{', '.join(states)}])"
    return states[0].removesuffix("[-1]") if states[0].endswith("[-1]") else f"{states[0]}.unsqueeze(0)"
