"""Functions of the generated source that run a module of torch over the valid steps of a mask."""

from __future__ import annotations

from frameworks.models.pytorch.pieces import Helper

_ROWS = "    rows = torch.arange(len(x), device=x.device).unsqueeze(1)\n"

_VALID_FIRST = "    x = x[rows, mask.byte().argsort(dim=1, descending=True, stable=True)]\n"

_REFUSAL = """\
    if (mask[:, 1:] & ~mask[:, :-1]).any():
        raise ValueError("The mask must be true up to the padding at a row's end, but has a hole. Port with --padding any.")
"""

_SPREAD = """\
    count = mask.cumsum(dim=1)
    y = y[rows, count - 1].masked_fill((count == 0).unsqueeze(-1), 0)
"""

_PACKED = """\
    lengths = mask.sum(dim=1)
    packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
"""

_REPEATS = '''"""Run over the valid steps alone: a masked step repeats the last output, which is zero before the first."""'''
_ENDS = '''"""Return the states after the last valid step of each row."""'''

NEVER, ALWAYS, SOMETIMES = "", ", state", ", state=None"
"""Whether calls pass initial states, as the last argument of a function."""


def outputs(state: str) -> Helper:
    """Return the function for one direction whose states nobody reads, or can be read from its outputs.

    Args:
        state: NEVER, ALWAYS or SOMETIMES.
    """
    code = f"""\
def skip_masked(rnn, x, mask{state}):
    {_REPEATS}
{_ROWS}    y, _ = rnn(x[rows, mask.byte().argsort(dim=1, descending=True, stable=True)]{", state" if state else ""})
{_SPREAD}    return y"""
    return Helper("skip_masked", code, general=outputs(SOMETIMES) if state != SOMETIMES else None)


def states(state: str, *, lstm: bool, holes: bool, outputs: bool) -> Helper:
    """Return the function for any other module, which returns its states, and before them the outputs if they are read.

    Args:
        state: NEVER, ALWAYS or SOMETIMES.
        lstm: whether the module has a cell state.
        holes: whether it is exact for every mask, or refuses those that are not right-padded.
        outputs: whether the outputs are returned.
    """
    plural = "states" if lstm else "state"
    name = f"{'skip_masked' if holes else 'skip_padding'}_with_{plural}" if outputs else f"final_{plural}"
    name += "" if outputs or holes else "_of_padded"
    returned = "(h, c)" if lstm else "h"
    passed = ", state" if state else ""
    lines = f"def {name}(rnn, x, mask{state}):\n    {_REPEATS if outputs else _ENDS}\n"
    lines += (_ROWS if outputs or holes else "") + (_VALID_FIRST if holes else _REFUSAL) + _PACKED
    lines += f"    {'y' if outputs else '_'}, {returned} = rnn(packed{passed})\n"
    if outputs:
        lines += f"    y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])\n{_SPREAD}"
    lines += f"    is_empty = (lengths == 0).unsqueeze(-1)\n{_kept(state, lstm=lstm)}"
    lines += f"    return y, {returned}" if outputs else f"    return {returned.strip('()')}"
    general = states(SOMETIMES, lstm=lstm, holes=holes, outputs=outputs) if state != SOMETIMES else None
    used = ["pack_padded_sequence", *["pad_packed_sequence"] * outputs]
    return Helper(name, lines, imports=tuple(f"from torch.nn.utils.rnn import {each}" for each in used), general=general)


def _kept(state: str, *, lstm: bool) -> str:
    """Return the lines that leave the states of a row without valid steps as they were."""
    if state == NEVER:
        zeroed = ", ".join(f"{each}.masked_fill(is_empty, 0)" for each in ("h", "c")[: 1 + lstm])
        return f"    {'h, c' if lstm else 'h'} = {zeroed}\n"
    if not lstm:
        return f"    h = torch.where(is_empty, {'state' if state == ALWAYS else '0 if state is None else state'}, h)\n"
    started = "state" if state == ALWAYS else "(0, 0) if state is None else state"
    return f"    h_0, c_0 = {started}\n    h, c = torch.where(is_empty, h_0, h), torch.where(is_empty, c_0, c)\n"
