"""One row per framework, with everything that the rest of the project needs to know about it, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from frameworks.activations import ACTIVATIONS
from frameworks.cells import CELLS, CellName, cells_by_name, cells_with
from frameworks.errors import InvalidValueError
from frameworks.layouts import KERAS, PYTORCH, Layout
from frameworks.spec import RecurrentSpec

FrameworkName = Literal["keras", "pytorch", "torch"]
"""The values of `to`: the name of each framework, and its aliases."""

BETWEEN_LAYERS = "dropout between layers"
"""The name of a limit that is neither a field of a spec nor a Keras call option: dropout between stacked layers."""

_ALL: tuple[CellName, ...] = tuple(cell.name for cell in CELLS.values())
_CHOOSING = tuple(cell.name for cell in CELLS.values() if cell.takes_nonlinearity)
_SPEC_DEFAULTS = {each.name: each.default for each in fields(RecurrentSpec) if each.default is not MISSING}
_MODULE = "copy the weights into a torch module with copy_weights"
_CALL = "call it as gatewise.returns_map(layer).call says"
_CALLS: tuple[tuple[str, object, str, str], ...] = (
    ("go_backwards", False, "the counterpart reads the sequence from its start", f"{_MODULE} and {_CALL}"),
    ("stateful", False, "the counterpart starts every call from zeros", f"{_MODULE}, {_CALL}, and pass on the states"),
    (
        "merge_mode",
        "concat",
        "the counterpart concatenates the directions",
        f"{_MODULE}, {_CALL}, and join its results with .to_keras of that map",
    ),
    ("dropout", 0.0, "Keras draws one mask for all time steps inside the cell", "set it to 0 in its cells for inference"),
    ("recurrent_dropout", 0.0, "Keras masks the hidden state inside the cell", "set it to 0 in its cells for inference"),
    (BETWEEN_LAYERS, 0.0, "the counterpart drops nothing between its layers", "set it to 0 for inference"),
)
"""The call options that a counterpart may not follow: field, the only supported value, reason, and remedy of the refusal."""


@dataclass(frozen=True)
class Limit:
    """A field of which a framework's own layers support only certain values.

    Args:
        to: the name of the framework.
        field: a field of the spec or of the call options.
        cells: the cells whose layers are limited.
        held: the supported values.
        why: the reason, for the message of the refusal.
        remedy: what to do instead.

    Example:
        >>> from frameworks.counterparts import LIMITS
        >>> [limit.why for limit in LIMITS if limit.to == "pytorch" and limit.field == "reset_after"]
        ['nn.GRU applies the reset gate after the recurrent product']
    """

    to: str
    field: str
    cells: tuple[CellName, ...]
    held: tuple[object, ...]
    why: str
    remedy: str


@dataclass(frozen=True)
class Layers:
    """The layers that one module adapts.

    Args:
        module: the name of the module, which implements `frameworks.protocols.LayerModule`, and `FlaggedModule` if `has_flags`.
        packages: the packages that define the classes of the layers.
        has_flags: whether a call follows Keras's flags, such as `return_sequences`.
    """

    module: str
    packages: tuple[str, ...]
    has_flags: bool = False

    def include(self, native: Any) -> bool:
        """Return whether the class of an object, or one of its base classes, is defined in the packages."""
        places = {base.__module__ for base in type(native).__mro__}
        return any(f"{place}.".startswith(f"{package}.") for place in places for package in self.packages)


@dataclass(frozen=True, eq=False)
class Framework:
    """One framework. Anything its row does not declare as supported is refused.

    Args:
        name: its name in code and messages.
        title: its name in prose.
        layers: its own layers; their module also implements `frameworks.protocols.FrameworkModule`.
        layout: the table of its stored weights.
        cells: the name of its own layer for each cell; a cell that is missing here is refused.
        extra: the extra of gatewise that installs it.
        holds: the fields of the spec and of the call options of which its layers support every value; also `BETWEEN_LAYERS` if
            they support it.
        limits: the fields of the spec of which its layers support only certain values.
        emulations: emulating layers written in this framework, by the framework they emulate; the package has a submodule
            `porting` that implements `frameworks.protocols.PortingModule`.
        builder: the module that builds layers from files in this framework and implements
            `frameworks.protocols.BuilderModule`; empty if there is none.
        aliases: other names for it.
    """

    name: str
    title: str
    layers: Layers
    layout: Layout
    cells: Mapping[CellName, str]
    extra: str
    holds: frozenset[str] = frozenset()
    limits: tuple[Limit, ...] = ()
    emulations: Mapping[str, Layers] = field(default_factory=lambda: MappingProxyType({}))
    builder: str = ""
    aliases: tuple[str, ...] = ()

    def owns(self, native: Any) -> bool:
        """Return whether the class of an object, or one of its base classes, comes from the framework."""
        return self.layers.include(native)

    def layers_of(self, native: Any) -> Layers:
        """Return the layers that an object belongs to: emulating ones, or the framework's own."""
        return next((each for each in self.emulations.values() if each.include(native)), self.layers)

    @cached_property
    def spec_limits(self) -> tuple[Limit, ...]:
        """The limits on fields of the spec: the declared ones, and for each undeclared field its default as the only value."""
        return (*self._cell_limits(), *self.limits, *self._undeclared())

    @cached_property
    def call_limits(self) -> tuple[Limit, ...]:
        """The limits on call options: those that a counterpart would silently ignore."""
        instead = "Use gatewise.emulate, which does the same, or " if "keras" in self.emulations else ""
        return tuple(
            Limit(self.name, name, _ALL, (held,), why, _sentence(instead + remedy))
            for name, held, why, remedy in _CALLS
            if name not in self.holds
        )

    def _cell_limits(self) -> Iterator[Limit]:
        if lacking := tuple(cell for cell in _ALL if cell not in self.cells):
            why = f"{self.title} has no layer of this cell"
            yield Limit(self.name, "cell", lacking, tuple(self.cells), why, "Keep the layer in its own framework")

    def _undeclared(self) -> Iterator[Limit]:
        for name, default in _SPEC_DEFAULTS.items():
            covered = {cell for limit in self.limits if limit.field == name for cell in limit.cells}
            cells = tuple(cell for cell in _ALL if cell not in covered)
            if cells and name not in self.holds:
                why = f"no other value is declared as supported by {self.title}'s own layers"
                yield Limit(self.name, name, cells, (default,), why, "Keep the layer in its own framework")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


_BY_NAME = tuple(name for name in ACTIVATIONS if name != "keras2_hard_sigmoid")
_FUNCTION = "Pass a function of your own to Keras's layer and copy the weights with set_weights"
_EMULATE = "Use gatewise.emulate, which computes it in torch"
_SIZES = frozenset({"num_layers", "bidirectional", "bias", "dtype"})

# Order matters: on the torch backend a Keras layer is also a torch.nn.Module, so Keras comes first.
FRAMEWORKS: tuple[Framework, ...] = (
    Framework(
        name="keras",
        title="Keras",
        layers=Layers("frameworks.keras", ("keras", "tf_keras"), has_flags=True),
        layout=KERAS,
        cells=MappingProxyType({cell: name for name, cell in cells_by_name("keras").items()}),
        extra="tensorflow",
        holds=_SIZES | {"reset_after", BETWEEN_LAYERS},
        limits=(
            Limit("keras", "activation", _ALL, _BY_NAME, "Keras 3 has no such activation by name", _FUNCTION),
            Limit(
                "keras",
                "recurrent_activation",
                cells_with("recurrent_activation"),
                _BY_NAME,
                "Keras 3's hard_sigmoid is x / 6 + 0.5 clipped, Keras 2's was 0.2 x + 0.5",
                _FUNCTION,
            ),
        ),
        emulations=MappingProxyType(
            {"pytorch": Layers("frameworks.torch_in_keras.layers", ("frameworks.torch_in_keras.layers",))}
        ),
        builder="frameworks.files.building.keras",
    ),
    Framework(
        name="pytorch",
        title="PyTorch",
        layers=Layers("frameworks.pytorch", ("torch",)),
        layout=PYTORCH,
        cells=MappingProxyType({cell: f"nn.{name}" for name, cell in cells_by_name("pytorch").items()}),
        extra="torch",
        holds=_SIZES | {BETWEEN_LAYERS},
        limits=(
            Limit("pytorch", "activation", _CHOOSING, ("tanh", "relu"), "torch's `nonlinearity` is tanh or relu", _EMULATE),
            Limit(
                "pytorch",
                "activation",
                tuple(cell.name for cell in CELLS.values() if cell.torch_activations == ("tanh",)),
                ("tanh",),
                "torch's cell has no argument for it and computes tanh",
                _EMULATE,
            ),
            Limit(
                "pytorch",
                "recurrent_activation",
                cells_with("recurrent_activation"),
                ("sigmoid",),
                "torch's cell has no argument for it and computes the sigmoid",
                _EMULATE,
            ),
            Limit(
                "pytorch",
                "reset_after",
                cells_with("reset_after"),
                (True,),
                "nn.GRU applies the reset gate after the recurrent product",
                f"{_EMULATE}, or train the layer again with reset_after=True",
            ),
        ),
        emulations=MappingProxyType(
            {"keras": Layers("frameworks.keras_in_torch.layers", ("frameworks.keras_in_torch.layers",), has_flags=True)}
        ),
        builder="frameworks.files.building.pytorch",
        aliases=("torch",),
    ),
)


def row_of(name: object) -> Framework:
    """Return the row of a framework by its name or an alias.

    Raises:
        InvalidValueError: for an unknown name.
    """
    for row in FRAMEWORKS:
        if isinstance(name, str) and name in (row.name, *row.aliases):
            return row
    known = " or ".join(repr(row.name) for row in FRAMEWORKS)
    raise InvalidValueError.because("the framework", must=f"be {known}", but=f"is {name!r}", remedy="Choose one of them.")


def owner_of(native: Any) -> Framework | None:
    """Return the row of the framework that owns an object, or None."""
    return next((row for row in FRAMEWORKS if row.owns(native)), None)
