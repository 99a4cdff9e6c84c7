"""Layers that torch lacks, imported from gatewise instead of generated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.files.writing.blocks import cell_tensors
from frameworks.layouts import PYTORCH
from frameworks.models.pytorch.pieces import Helper, Piece, Site, Statements, literal
from frameworks.models.pytorch.recurrent.calls import Plan, initial_states
from frameworks.models.pytorch.recurrent.elements import Use, rates_of
from frameworks.options import KerasOptions

_PACKAGE = "frameworks.emulation.pytorch"
_LEFT_OUT = {"glu"}
"""Activations that gatewise's layers lack."""


def is_imported(stored: StoredLayer, plan: Plan, use: Use) -> bool:
    """Return whether gatewise computes a layer that torch lacks, as the version that wrote it does."""
    specs = [cell.spec for row in stored.cells for cell in row]
    deviates = any(plan.unreversed) or (use.stateful and use.continues and use.keeps_own)
    repeats_apart = plan.bidirectional and plan.options.return_sequences and not plan.zeroes
    lacks = any({spec.activation, spec.recurrent_activation} & _LEFT_OUT for spec in specs)
    is_native = all(element.is_native for _, element in plan.elements())
    return not (is_native or deviates or repeats_apart or lacks)


def imported(stored: StoredLayer, plan: Plan, use: Use, how: Sequence[str], results: tuple[str, ...]) -> Piece:
    """Return the piece of gatewise's layer, which has Keras's options and call.

    Args:
        stored: the layer in the file.
        plan: its modules, if they were generated.
        use: how it is called.
        how: what became of it, in phrases.
        results: what the results of its calls are called.
    """
    arrays: dict[str, Blocks] = {}
    for layer, row in enumerate(stored.cells):
        for direction, cell in enumerate(row):
            tensors = cell_tensors(cell, PYTORCH)
            arrays |= {f"{name}_l{layer}{'_reverse' * direction}": blocks for name, blocks in tensors.items()}
    constructor, names = _constructor(stored, plan.options, use)
    return Piece(
        lambda site: _call(site, plan),
        constructor,
        arrays,
        "; ".join([f"{names[0]} of gatewise", *how]),
        tuple(Helper(name, "", imports=(f"from {_PACKAGE} import {name}",)) for name in names),
        results=results,
    )


def _constructor(stored: StoredLayer, options: KerasOptions, use: Use) -> tuple[str, list[str]]:
    """Return the constructor of a layer, and the classes that it names, the outermost first."""
    columns = [[row[direction] for row in stored.cells] for direction in range(len(stored.cells[0]))]
    halves = [_layer(column, options, use, backwards=bool(at) != options.go_backwards) for at, column in enumerate(columns)]
    names = [name for _, classes in halves for name in classes]
    if len(halves) == 1:
        return halves[0][0], list(dict.fromkeys(names))
    arguments = [halves[0][0]]
    arguments += [f"merge_mode={literal(options.merge_mode)}"] * (options.merge_mode != "concat")
    twin, _ = _layer(columns[0], options, use, backwards=not options.go_backwards)
    arguments += [f"backward_layer={halves[1][0]}"] * (options.go_backwards or halves[1][0] != twin)
    return f"KerasBidirectional({', '.join(arguments)})", ["KerasBidirectional", *dict.fromkeys(names)]


def _layer(cells: Sequence[StoredCell], options: KerasOptions, use: Use, *, backwards: bool) -> tuple[str, list[str]]:
    stated = ("return_sequences", "return_state", "stateful", "zero_output_for_mask")
    flags = [f"{name}=True" for name in stated if getattr(options, name)] + ["go_backwards=True"] * backwards
    kinds = [f"Keras{cell.spec.record.names['keras']}" for cell in cells]
    if options.nesting != "cells":
        return f"{kinds[0]}({', '.join([*_cell(cells[0], use, reads=True), *flags])})", kinds
    made = [
        f"{kind}Cell({', '.join(_cell(cell, use, reads=at == 0))})"
        for at, (kind, cell) in enumerate(zip(kinds, cells, strict=True))
    ]
    arguments = [f"[{', '.join(made)}]", *flags]
    return f"KerasRNN({', '.join(arguments)})", ["KerasRNN", *(f"{kind}Cell" for kind in kinds)]


def _cell(cell: StoredCell, use: Use, *, reads: bool) -> Iterator[str]:
    """Yield the arguments of a cell that are not the defaults."""
    spec, (dropout, recurrent_dropout) = cell.spec, rates_of(cell)
    yield str(spec.hidden_size)
    if spec.activation != "tanh":
        yield f"activation={literal(spec.activation)}"
    if spec.recurrent_activation != "sigmoid":
        yield f"recurrent_activation={literal(spec.recurrent_activation)}"
    if not spec.bias:
        yield "use_bias=False"
    if not spec.reset_after:
        yield "reset_after=False"
    if dropout:
        yield f"dropout={dropout}"
    if recurrent_dropout:
        yield f"recurrent_dropout={recurrent_dropout}"
    if use.per_gate and spec.record.gated and (dropout or recurrent_dropout):
        yield "implementation=1"
    if reads:
        yield f"input_size={spec.input_size}"


def _call(site: Site, plan: Plan) -> str | Statements:
    arguments = [site.x]
    given = initial_states(site)
    if given:
        arguments.append(f"initial_state={_nested(given, plan)}")
    if site.call.mask is not None:
        arguments.append(f"mask={site.mask}")
    if site.training:
        arguments.append("training=True")
    call = f"{site.module}({', '.join(arguments)})"
    names = [name or "_" for name in site.names]
    if plan.options.nesting != "cells" or not plan.options.return_state:
        return call
    outputs = 2 if plan.splits else 1
    states = _nested(names[outputs:], plan)[1:-1]
    return Statements((f"{', '.join([*names[:outputs], states])} = {call}",), tuple(names))


def _nested(states: Sequence[str], plan: Plan) -> str:
    """Return a list of states as Keras nests it: a list for each cell of an RNN over cells."""
    if plan.options.nesting != "cells":
        return f"[{', '.join(states)}]"
    places = zip(states, plan.states(), strict=True)
    cells = groupby(places, lambda each: (*each[1][:2], each[1][3]))
    lists = [f"[{', '.join(name for name, _ in cell)}]" for _, cell in cells]
    return f"[{', '.join(lists)}]"
