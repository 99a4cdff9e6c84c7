"""Functions of the generated source that run a module of torch over the valid steps of a mask."""

from __future__ import annotations

from dataclasses import dataclass, replace

from frameworks.models.pytorch.pieces import Helper

_ROWS = "    rows = torch.arange(x.shape[0], device=x.device).unsqueeze(1)"
_ORDER = "mask.byte().argsort(dim=1, descending=True, stable=True)"

_REFUSAL = """\
    if (mask[:, 1:] & ~mask[:, :-1]).any():
        raise ValueError("The mask must be true up to the padding at a row's end, but has a hole. Port with --padding any.")"""

_PACKED = """\
    lengths = mask.sum(dim=1)
    packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)"""

_REPEATS = "Run over the valid steps alone: a masked step repeats the last output, which is zero before the first."
_ZEROES = "Run both directions over the valid steps alone: a masked step has the output zero."
_ENDS = "Return the states after the last valid step of each row."

NEVER, ALWAYS, SOMETIMES = "", ", state", ", state=None"
"""Whether calls pass initial states, as the last argument of a function."""


def over_outputs(state: str) -> Helper:
    """Return the function for one direction whose states nobody reads, or can be read from its outputs.

    Args:
        state: NEVER, ALWAYS or SOMETIMES.
    """
    code = f'''\
def skip_masked(rnn, x, mask{state}):
    """{_REPEATS}"""
{_ROWS}
    y, _ = rnn(x[rows, {_ORDER}]{", state" if state else ""})
    count = mask.cumsum(dim=1)
    return y[rows, count - 1].masked_fill((count == 0).unsqueeze(-1), 0)'''
    return Helper("skip_masked", code, general=over_outputs(SOMETIMES) if state != SOMETIMES else None)


@dataclass(frozen=True)
class Packed:
    """A function that packs the valid steps.

    Args:
        state: NEVER, ALWAYS or SOMETIMES.
        lstm: whether the module has a cell state.
        holes: whether it is exact for every mask, or refuses those that are not right-padded.
        both_ways: whether it runs two directions and returns their outputs alone, which are zero at masked steps.
        outputs: whether it returns the outputs.
        states: whether it returns the states.
    """

    state: str
    lstm: bool
    holes: bool
    both_ways: bool
    outputs: bool
    states: bool

    @property
    def name(self) -> str:
        """The name of the function."""
        plural = "states" if self.lstm else "state"
        if not self.outputs:
            return f"final_{plural}{'' if self.holes else '_of_padded'}"
        return f"skip_{'masked' if self.holes else 'padding'}" + (
            f"_with_{plural}" if self.states else "_both_ways" if self.both_ways else ""
        )

    def helper(self) -> Helper:
        """Return the function."""
        used = ["pack_padded_sequence", *["pad_packed_sequence"] * self.outputs]
        general = replace(self, state=SOMETIMES).helper() if self.state != SOMETIMES else None
        imports = tuple(f"from torch.nn.utils.rnn import {each}" for each in used)
        return Helper(self.name, "\n".join(self._lines()), imports=imports, general=general)

    def _lines(self) -> list[str]:
        described = _ENDS if not self.outputs else _ZEROES if self.both_ways else _REPEATS
        lines = [f"def {self.name}(rnn, x, mask{self.state}):", f'    """{described}"""']
        spreads = self.outputs and (self.holes or not self.both_ways)
        lines += [_ROWS] * (self.holes or spreads) + ([f"    x = x[rows, {_ORDER}]"] if self.holes else [_REFUSAL])
        names = ("(h, c)" if self.lstm else "h") if self.states else "_"
        lines += [_PACKED, f"    {'y' if self.outputs else '_'}, {names} = rnn(packed{', state' if self.state else ''})"]
        if self.outputs:
            lines.append("    y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])")
        y = "y"
        if spreads:
            lines.append("    count = mask.cumsum(dim=1)")
            y = "y[rows, count - 1]"
        if self.outputs:
            y += f".masked_fill({'~mask' if self.both_ways else '(count == 0)'}.unsqueeze(-1), 0)"
        if not self.states:
            return [*lines, f"    return {y}"]
        lines += [f"    y = {y}"] * self.outputs
        lines += ["    is_empty = (lengths == 0).unsqueeze(-1)", *self._starts()]
        finals = ", ".join(map(self._kept, ("h", "c")[: 1 + self.lstm]))
        if not self.outputs:
            return [*lines, f"    return {finals}"]
        return [*lines, f"    {names.strip('()')} = {finals}", f"    return y, {names}"]

    def _starts(self) -> list[str]:
        """Return the line that names the initial states."""
        if self.state == NEVER or (self.state == ALWAYS and not self.lstm):
            return []
        names, zeros = ("h_0, c_0", "(0, 0)") if self.lstm else ("h_0", "0")
        return [f"    {names} = {'state' if self.state == ALWAYS else f'{zeros} if state is None else state'}"]

    def _kept(self, name: str) -> str:
        """Return a final state, which is the initial one in a row without valid steps."""
        if self.state == NEVER:
            return f"{name}.masked_fill(is_empty, 0)"
        return f"torch.where(is_empty, {f'{name}_0' if self._starts() else 'state'}, {name})"
