"""Functions of the generated source that run a module of torch over the valid steps of a mask."""

from __future__ import annotations

from frameworks.models.pytorch.pieces import Helper

_VALID_FIRST = """\
    order = mask.byte().argsort(dim=1, descending=True, stable=True)
    x = x.take_along_dim(order.unsqueeze(-1), dim=1)
"""

_REFUSAL = """\
    if (mask[:, 1:] & ~mask[:, :-1]).any():
        raise ValueError("The mask must be true up to the padding at a row's end, but has a hole. Port with --padding any.")
"""

SPREAD = """\
    count = mask.cumsum(dim=1).unsqueeze(-1)
    y = y.take_along_dim((count - 1).clamp(min=0), dim=1).masked_fill(count == 0, 0)
"""

GATHERED = Helper(
    "skip_masked",
    f'''\
def skip_masked(rnn, x, mask, state=None):
    """Run over the valid steps alone: a masked step repeats the last output, which is zero before the first."""
{_VALID_FIRST}    y, _ = rnn(x, state)
{SPREAD}    return y''',
)
"""For one direction whose states nobody reads, or can be read from its outputs; it returns the outputs."""


def packed(*, lstm: bool, holes: bool) -> Helper:
    """Return the function for any other module, which returns the outputs and the states.

    Args:
        lstm: whether the module has a cell state.
        holes: whether it is exact for every mask, or refuses those that are not right-padded.
    """
    name = f"{'skip_masked' if holes else 'skip_padding'}_with_{'states' if lstm else 'state'}"
    if lstm:
        states = "(h, c)"
        kept = """\
    h_0, c_0 = (0, 0) if state is None else state
    h, c = torch.where(is_empty, h_0, h), torch.where(is_empty, c_0, c)
"""
    else:
        states = "h"
        kept = "    h = torch.where(is_empty, 0 if state is None else state, h)\n"
    return Helper(
        name,
        f'''\
def {name}(rnn, x, mask, state=None):
    """Run over the valid steps alone: a masked step repeats the last output, which is zero before the first."""
{_VALID_FIRST if holes else _REFUSAL}    lengths = mask.sum(dim=1)
    packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
    y, {states} = rnn(packed, state)
    y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
    is_empty = (lengths == 0).unsqueeze(-1)
{kept}{SPREAD}    return y, {states}''',
        imports=("from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence",),
    )
