"""Modules that read a sequence: torch's own where they hold the cells, generated classes otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from frameworks.cells import Cell
from frameworks.counterparts import find_limits
from frameworks.files.stored import StoredCell
from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.files.writing.blocks import cell_tensors
from frameworks.layouts import PYTORCH
from frameworks.models.pytorch.pieces import Helper, literal
from frameworks.models.pytorch.recurrent import masked
from frameworks.models.pytorch.recurrent.cells import Form, arrays_of, class_of
from frameworks.models.pytorch.recurrent.stateful import stateful


@dataclass(frozen=True)
class Use:
    """How the calls of a layer use it.

    Args:
        masked: whether one has a mask.
        continues: whether one has initial states.
        training: whether it is in training, as an expression: "self.training", "True" where all calls state `training=True`,
            and "training" where only some do.
        stateful: whether the layer keeps its states.
        keeps_own: whether these go before initial states that a call passes.
        per_gate: whether each gate has dropout masks of its own, by the option `implementation`.
    """

    masked: bool = False
    continues: bool = False
    training: str = "self.training"
    stateful: bool = False
    keeps_own: bool = False
    per_gate: bool = False


@dataclass(frozen=True, eq=False)
class Element:
    """One module that reads a sequence.

    Args:
        cells: `cells[layer][direction]`: one cell, unless it is torch's own module.
        is_native: whether it is torch's own class.
        constructor: its constructor.
        arrays: its arrays by their names in its state_dict.
        holes: whether it must be exact for every mask, or refuses those that are not right-padded.
        takes_mask: whether it is called with a mask, also where a call has none.
        skips: whether a function runs it over a mask, which it does not take itself.
        class_helper: its class, if it is generated.
        dropout: the rate at which its inputs are dropped, before it is called.
        told: whether it is told if it is in training.
    """

    cells: tuple[tuple[StoredCell, ...], ...]
    is_native: bool
    constructor: str
    arrays: Mapping[str, Blocks]
    holes: bool = True
    takes_mask: bool = False
    skips: bool = False
    class_helper: Helper | None = None
    dropout: float = 0.0
    told: bool = False

    @property
    def cell(self) -> Cell:
        """The record of its cell."""
        return self.cells[0][0].spec.record

    @property
    def directions(self) -> int:
        """1 or 2."""
        return len(self.cells[0])


def rates_of(cell: StoredCell) -> tuple[float, float]:
    """Return the rates of dropout and recurrent dropout that act: at a rate of 1 Keras drops nothing in a gated cell."""
    most = 1.0 if cell.spec.record.gated else 2.0
    dropout, recurrent = float(cell.dropout or 0), float(cell.recurrent_dropout or 0)
    return dropout if dropout < most else 0.0, recurrent if recurrent < most else 0.0


def is_native(cells: Sequence[Sequence[StoredCell]], use: Use) -> bool:
    """Return whether one module of torch computes all of these cells, `cells[layer][direction]`."""
    first = cells[0][0].spec
    directions = len(cells[0])
    for layer, row in enumerate(cells):
        for cell in row:
            reads = first.input_size if layer == 0 else directions * first.hidden_size
            if cell.spec != replace(first, input_size=reads) or next(find_limits(cell.spec, "pytorch"), None):
                return False
            if use.training != "self.training" and (
                rates_of(cell)[1] or (rates_of(cell)[0] and (directions > 1 or len(cells) > 1))
            ):
                return False
    return True


def native(cells: Sequence[Sequence[StoredCell]], use: Use, *, holes: bool) -> Element:
    """Return torch's own module of these cells.

    Args:
        cells: `cells[layer][direction]`.
        use: how it is called.
        holes: whether it is exact for every mask, or refuses those that are not right-padded.
    """
    spec, record = cells[0][0].spec, cells[0][0].spec.record
    arguments = [str(spec.input_size), str(spec.hidden_size)]
    arguments += [f"num_layers={len(cells)}"] * (len(cells) > 1)
    arguments += [f"nonlinearity={literal(spec.activation)}"] * (spec.activation != "tanh")
    arguments += ["bias=False"] * (not spec.bias) + ["batch_first=True"] + ["bidirectional=True"] * (len(cells[0]) == 2)
    arrays = {
        f"{name}_l{layer}{'_reverse' * direction}": blocks
        for layer, row in enumerate(cells)
        for direction, cell in enumerate(row)
        for name, blocks in cell_tensors(cell, PYTORCH).items()
    }
    name, helper = f"nn.{record.names['pytorch']}", None
    if use.stateful:
        runs = masked.Packed(masked.SOMETIMES, spec.has_cell_state, holes, both_ways=False, outputs=True, states=True).helper()
        helper = stateful(
            None,
            name,
            record.states,
            runs=runs if use.masked else None,
            masked=use.masked,
            continues=use.continues,
            keeps_own=use.keeps_own,
        )
        name = helper.name
    (dropout, recurrent), *others = [rates_of(cell) for row in cells for cell in row]
    alone = not recurrent and not others
    return Element(
        tuple(map(tuple, cells)),
        is_native=True,
        constructor=f"{name}({', '.join(arguments)})",
        arrays=arrays,
        holes=holes,
        takes_mask=use.masked and use.stateful,
        skips=use.masked and not use.stateful,
        class_helper=helper,
        dropout=dropout if alone else 0.0,
    )


def generated(cell: StoredCell, use: Use) -> Element:
    """Return a class generated for one cell."""
    spec = cell.spec
    dropout, recurrent = rates_of(cell)
    drops = bool(dropout or recurrent)
    form = Form(
        spec,
        masked=use.masked,
        continues=use.continues or use.stateful,
        dropout=bool(dropout),
        recurrent_dropout=bool(recurrent),
        mask_per_gate=spec.record.gated and drops and (bool(recurrent) or use.per_gate),
        training=use.training if drops else "self.training",
    )
    helper = class_of(form)
    name = helper.name
    if use.stateful:
        helper = stateful(
            helper,
            name,
            spec.state_names,
            masked=use.masked,
            continues=use.continues,
            told=form.training == "training",
            keeps_own=use.keeps_own,
        )
    rates = [f"{rate}={value}" for rate, value in (("dropout", dropout), ("recurrent_dropout", recurrent)) if value]
    arguments = ", ".join([str(spec.input_size), str(spec.hidden_size), *rates])
    return Element(
        ((cell,),),
        is_native=False,
        constructor=f"{helper.name}({arguments})",
        arrays=arrays_of(cell),
        takes_mask=use.masked,
        class_helper=helper,
        told=form.training == "training",
    )
