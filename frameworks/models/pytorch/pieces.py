"""Pieces: what each layer of a model becomes in the source of a torch module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np

from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.models.graph import Call, Graph, Layer, Shape


class Name(str):
    """The name of a variable, which `literal` writes without quotes."""

    __slots__ = ()


def literal(value: Any) -> str:
    """Return an argument of a call as source: a variable's name, a constant, or a list, tuple, dict or slice of these."""
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, (list, tuple)):
        inside = ", ".join(literal(each) for each in value)
        comma = "," * (isinstance(value, tuple) and len(value) == 1)
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{comma})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, slice):
        return f"slice({literal(value.start)}, {literal(value.stop)}, {literal(value.step)})"
    if isinstance(value, (float, np.floating)) and not np.isfinite(value):
        return f'float("{float(value)}")'
    shown = ascii(value.item() if isinstance(value, np.generic) else value)
    return f'"{shown[1:-1]}"' if isinstance(value, str) and '"' not in shown and "\\" not in shown else shown


@dataclass(frozen=True)
class Helper:
    """A function or class at the top of the generated module, written once for all layers that use it.

    Args:
        name: its name; the same name stands for the same code, but for `general`.
        code: its source; "" for a name that `imports` brings in. It may use torch, nn, F, math and `needs`.
        needs: helpers that it uses, which are written before it.
        imports: further imports, as lines "from module import name"; those of torch, nn, F and math are written where used.
        general: the helper that is written instead where others of its name have different code; None if there is none.
    """

    name: str
    code: str
    needs: tuple[Helper, ...] = ()
    imports: tuple[str, ...] = ()
    general: Helper | None = None


@dataclass(frozen=True)
class Statements:
    """A call that one expression cannot state.

    Args:
        lines: statements, without the indentation of `forward`. Only the last one assigns to a name of `site.names`, which may
            also be the name of an argument.
        results: an expression for each result of the call; the name of `site.names` where the lines assign it already.
    """

    lines: tuple[str, ...]
    results: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Site:
    """The place of one call in `forward`.

    Args:
        call: the call.
        graph: the graph that it stands in.
        module: the expression of the layer's module: "self.dense".
        args: the call's arguments with a `Name` for each tensor; a list of tensors is a list of names.
        kwargs: likewise, the keyword arguments.
        masks: for each tensor in `args` the name of a boolean variable, true where a step counts, or None. A mask is computed
            in `forward` only if some piece takes its name from here: whether there is one is asked of `call.masks`.
        shapes: the shape of each tensor in `args`; None if it is not known.
        names: for each result the name of the variable that will hold it; None if nothing reads it.
        result_shapes: the shape of each result; None if it is not known.
        free: makes a variable's name from a wish, which nothing else in `forward` has: free("h_n").
    """

    call: Call
    graph: Graph
    module: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    masks: Sequence[str | None]
    shapes: tuple[Shape | None, ...]
    names: tuple[str | None, ...]
    result_shapes: tuple[Shape | None, ...]
    free: Callable[[str], str]

    @property
    def x(self) -> str:
        """The name of the first tensor."""
        first: str = self.args[0][0] if isinstance(self.args[0], (list, tuple)) else self.args[0]
        return first

    @property
    def mask(self) -> str | None:
        """The name of the mask of the first tensor, which is then computed."""
        return self.masks[0] if self.masks else None

    @property
    def training(self) -> bool:
        """Whether the model states `training=True` for this call: dropout is then active at inference, too."""
        return self.kwargs.get("training") is True


@dataclass(frozen=True, eq=False)
class Piece:
    """What a layer becomes.

    Args:
        call: returns what a call of the layer is: an expression (of a tuple, if the call has several results), or `Statements`.
            It is called more than once for a call and depends on its site alone. The code may use torch, nn, F (which is
            torch.nn.functional), math and `helpers`.
        module: the constructor of its module: "nn.Linear(7, 2)"; "" for a layer without one.
        arrays: the arrays of the module by their names in its state_dict.
        how: what became of it, for the table: a short phrase without a full stop.
        helpers: what the module's constructor and the calls use.
        mask: returns the expression of the mask that the layer makes of what it reads (`MadeMask`): "tokens != 0".
        results: what the results are called, if there are several: ("", "h", "c") names variables lstm, lstm_h and lstm_c.
        any_rank: whether a call works alike for any number of axes before the last, so that TimeDistributed folds nothing.
    """

    call: Callable[[Site], str | Statements]
    module: str = ""
    arrays: Mapping[str, Blocks] = field(default_factory=lambda: MappingProxyType({}))
    how: str = "as it is"
    helpers: tuple[Helper, ...] = ()
    mask: Callable[[str], str] | None = None
    results: tuple[str, ...] = ()
    any_rank: bool = False


@dataclass(frozen=True)
class Target:
    """What the source is written for.

    Args:
        padding: "any": exact for every mask; "end": packs, and refuses a mask with a hole at run time.
        imports_gatewise: whether emulated layers are imported from gatewise instead of generated.
        version: the version of Keras that wrote the model, as numbers.
    """

    padding: Literal["any", "end"] = "any"
    imports_gatewise: bool = False
    version: tuple[int, ...] = (3,)


Writer: TypeAlias = Callable[[Layer, Graph, Target], Piece]
"""Returns what a layer becomes, or raises NoCounterpartError for an option that torch's module and the source lack."""
