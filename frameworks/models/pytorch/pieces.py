"""Pieces: what each layer of a model becomes in the source of a torch module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.models.graph import Call, Graph, Layer, Shape


@dataclass(frozen=True)
class Helper:
    """A function or class at the top of the generated module, written once for all layers that use it.

    Args:
        name: its name; the same name always stands for the same code.
        code: its source, which uses torch, nn and `needs` alone.
        needs: helpers that it uses, which are written before it.
        imports: further imports from the standard library, as lines.
    """

    name: str
    code: str
    needs: tuple[Helper, ...] = ()
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statements:
    """A call that one expression cannot state.

    Args:
        lines: statements, without indentation.
        results: an expression, usually a name, for each result of the call.
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
        args: the call's arguments with the name of a variable for each tensor; a list of tensors is a list of names.
        kwargs: likewise, the keyword arguments.
        masks: for each tensor in `args` the name of a boolean variable, true where a step counts, or None.
        shapes: the shape of each tensor in `args`; None if it is not known.
        free: makes a variable's name from a wish, which nothing else in `forward` has: free("h_n").
    """

    call: Call
    graph: Graph
    module: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    masks: tuple[str | None, ...]
    shapes: tuple[Shape | None, ...]
    free: Callable[[str], str]

    @property
    def x(self) -> str:
        """The name of the first tensor."""
        first: str = self.args[0][0] if isinstance(self.args[0], (list, tuple)) else self.args[0]
        return first

    @property
    def mask(self) -> str | None:
        """The name of the mask of the first tensor."""
        return self.masks[0] if self.masks else None


@dataclass(frozen=True, eq=False)
class Piece:
    """What a layer becomes.

    Args:
        call: returns what a call of the layer is: an expression of its only result, or `Statements`.
        module: the constructor of its module: "nn.Linear(7, 2)"; "" for a layer without one.
        arrays: the arrays of the module by their names in its state_dict.
        how: what became of it, for the table: a short phrase without a full stop.
        helpers: what the module's constructor and the calls use.
    """

    call: Callable[[Site], str | Statements]
    module: str = ""
    arrays: Mapping[str, Blocks] = field(default_factory=lambda: MappingProxyType({}))
    how: str = "as it is"
    helpers: tuple[Helper, ...] = ()


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
