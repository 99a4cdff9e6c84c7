"""How a recurrent layer shows in a REPL, in a notebook and in a summary: its class, its name and its sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import cast

from frameworks.adapter import Adapter
from frameworks.errors import GatewiseError
from frameworks.options import KerasOptions
from frameworks.rows import row_of
from frameworks.showing import Shown, markdown_blocks, markdown_table, shortened
from frameworks.spec import RecurrentSpec

_NAME = 40
"""The most characters of a name in a line."""
_SIZES = ("cell", "input_size", "hidden_size", "num_layers", "bidirectional", "bias", "dtype")


class ShownLayer(Shown):
    """The base of adapters, which show the layer that they adapt."""

    def _in_a_line(self) -> str:
        return f"{type(self).__name__} of {described(cast('Adapter', self))}"

    def to_markdown(self) -> str:
        """Return the layer as a table of its options."""
        return layer_table(cast("Adapter", self))


def described(side: Adapter) -> str:
    """Return a layer's framework, class, name and sizes, such as "Keras LSTM 'encoder' (3 -> 4, two directions)"."""
    row = row_of(side.framework)
    name = getattr(side.native, "name", "")
    shown = f" {shortened(repr(name), _NAME)}" if isinstance(name, str) and name else ""
    return f"{row.title} {row.cells[side.spec.cell]}{shown} ({sizes_of(side.spec)})"


def sizes_of(spec: RecurrentSpec) -> str:
    """Return the sizes of a layer, such as "3 -> 4, 2 layers"."""
    shape = [f"{spec.input_size} -> {spec.hidden_size}"]
    shape += [f"{spec.num_layers} layers"] if spec.num_layers > 1 else []
    shape += ["two directions"] if spec.bidirectional else []
    return ", ".join(shape)


def layer_table(side: Adapter, *more: tuple[str, object]) -> str:
    """Return a layer in Markdown: a table of its sizes, and of the options that differ from Keras's defaults.

    Args:
        side: the layer.
        more: further rows, each a name and a value.
    """
    rows = [*_spec_rows(side), *_option_rows(side.options), *more]
    return markdown_blocks(markdown_table((shortened(type(side).__name__, _NAME), "value"), rows))


def _spec_rows(side: Adapter) -> Iterator[tuple[str, object]]:
    yield "framework", row_of(side.framework).title
    try:
        spec = side.spec
    except GatewiseError as error:  # of unlike cells in a file
        yield "spec", str(error).partition(". ")[0]
        return
    for name in (*_SIZES, *spec.record.options):
        yield name, getattr(spec, name)


def _option_rows(options: KerasOptions | None) -> Iterator[tuple[str, object]]:
    for each in fields(KerasOptions) if options is not None else ():
        value = getattr(options, each.name)
        if value != each.default:
            yield each.name, value
