"""Statements that run the modules of a layer, and expressions of what they return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

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
    """

    sequence: str
    last: tuple[str, ...]
    states: States


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
        arguments = [x, given.mask] if given.mask else [x]
        if given.states:
            arguments.append(_packed_states(element, given.states))
        if element.told:
            arguments.append(f"training={given.training}")
        if given.mask and element.runs:
            return self._skip(element, module, given, arguments, wanted, to)
        return self._unpack(element, f"{module}({', '.join(arguments)})", given, wanted, to)

    def _skip(self, element: Element, module: str, given: Inputs, arguments: Sequence[str], wanted: Wanted, to: str) -> Ran:
        gathers, packs = element.runs
        simple = element.directions == 1 and "c" not in wanted.states and not ("h" in wanted.states and given.states)
        simple = simple and (len(element.cells) == 1 or not wanted.states) and gathers is not packs
        runs = gathers if simple else packs
        call = f"{runs.name}({', '.join([module, *arguments])})"
        if not simple:
            return self._unpack(element, call, given, wanted, to)
        if wanted.last and not wanted.sequence and not wanted.states:
            return Ran("", (f"{call}[:, -1]",), {})
        y = to or self.free("y")
        self.lines.append(f"{y} = {call}")
        return Ran(y, (f"{y}[:, -1]",), {"h": [f"{y}[:, -1]"]})

    def _unpack(self, element: Element, call: str, given: Inputs, wanted: Wanted, to: str) -> Ran:
        read = {*wanted.states, *(["h"] if wanted.last else [])}
        y = (to or self.free("y")) if wanted.sequence else "_"
        names = {state: self.free(state) if state in read else "_" for state in element.cell.states}
        inner = ", ".join(names.values())
        states = "_" if not read else f"({inner})" if len(names) > 1 else inner
        self.lines.append(f"{y}, {states} = {call}")
        count = len(element.cells) * element.directions
        places = ["-1"] if count == 1 else [str(at) for at in range(count)]
        finals = {state: [f"{name}[{at}]" for at in places] for state, name in names.items() if name != "_"}
        last = tuple(finals["h"][-element.directions :]) if "h" in finals else ()
        if given.mask and given.states:  # a row without a valid step keeps its states, but its output is zero
            last = tuple(f"{each} * {given.mask}.any(dim=1, keepdim=True)" for each in last)
        return Ran(y, last, finals)


def _packed_states(element: Element, states: States) -> str:
    """Return the initial states as the module takes them: h, or (h, c), each (layers * directions, batch, hidden)."""
    made = [
        f"{each[0]}.unsqueeze(0)" if len(each) == 1 else f"torch.stack([{', '.join(each)}])"
        for each in (states[name] for name in element.cell.states)
    ]
    return f"({', '.join(made)})" if len(made) > 1 else made[0]
