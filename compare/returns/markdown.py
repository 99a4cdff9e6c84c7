"""A return-value map as Markdown without headings, for any page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tabulate import tabulate

from compare.returns.expressions import Expression, ReadFromKeras, ReturnedArray
from compare.returns.keras_call import KerasCall
from frameworks.escaping import markdown_code


class _Note(NamedTuple):
    """A sentence, and the calls to which it applies."""

    applies: Callable[[KerasCall], bool]
    sentence: str


_NOTES = (
    _Note(
        lambda call: call.options.go_backwards,
        "`go_backwards=True` reads the last time step first, and Keras returns outputs in the order of reading. PyTorch does "
        "the same on the flipped input: nothing is flipped back.",
    ),
    _Note(
        lambda call: call.options.stateful,
        "`stateful=True` starts from the final states of the last call. In PyTorch, keep them and pass them on.",
    ),
    _Note(
        lambda call: _one_direction(call) and call.options.return_sequences and not call.options.zero_output_for_mask,
        "With a mask, Keras repeats the last valid output at the masked time steps that follow; PyTorch has zeros there after "
        "packing.",
    ),
    _Note(
        lambda call: _one_direction(call) and not call.options.return_sequences and call.options.zero_output_for_mask,
        "With a mask, `zero_output_for_mask=True` returns zeros instead of the last hidden state of a row that ends masked.",
    ),
)


def _one_direction(call: KerasCall) -> bool:
    return not call.stack.bidirectional


def render(call: KerasCall, code: str, items: Sequence[ReturnedArray], reverse: Sequence[ReadFromKeras]) -> str:
    """Render one map.

    Args:
        call: the Keras call.
        code: the lines that call PyTorch.
        items: the arrays that Keras returns.
        reverse: the arrays that PyTorch returns.

    Returns:
        Markdown that ends in a line break.
    """
    forward = _table(
        ("Keras", "holds", "shape", "PyTorch", "also"),
        [
            (
                markdown_code(item.keras),
                item.meaning,
                markdown_code(f"({', '.join(item.shape)})"),
                markdown_code(item.pytorch),
                _also(item.equivalents),
            )
            for item in items
        ],
    )
    back = _table(("PyTorch", "Keras", "flags", "remark"), [_reverse_row(entry) for entry in reverse])
    notes = [note.sentence for note in _NOTES if note.applies(call)]
    blocks = [
        f"In PyTorch, with `batch_first=True`:\n\n```python\n{code}\n```",
        f"What Keras returns:\n\n{forward}",
        f"The reverse:\n\n{back}",
        *(["\n".join(f"* {sentence}" for sentence in notes)] if notes else []),
    ]
    return "\n\n".join(blocks) + "\n"


def _reverse_row(entry: ReadFromKeras) -> tuple[str, ...]:
    if entry.keras is None:
        return markdown_code(entry.pytorch), "", "", entry.missing
    flags = ", ".join(markdown_code(f"{name}={value!r}") for name, value in entry.changed) or "unchanged"
    return markdown_code(entry.pytorch), markdown_code(entry.keras), flags, entry.missing or entry.caveat


def _also(equivalents: Sequence[Expression]) -> str:
    return "; ".join(f"{markdown_code(one.text)}, {one.caveat}" for one in equivalents)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
