"""The Protocols that the modules named in a framework's row must implement; a contract test checks every row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from frameworks.adapter import Adapter
from frameworks.options import KerasOptions
from frameworks.spec import RecurrentSpec, Stack

Part = tuple[str, str, Any]
"""The direction and the cell of one part of a layer ("" if there is only one), and the part itself, which `adapt` accepts."""


class LayerModule(Protocol):
    """A module that adapts a framework's own layers or emulated ones."""

    def adapt(self, native: Any) -> Adapter:
        """Adapt a layer, see `frameworks.adapt`."""


class FlaggedModule(LayerModule, Protocol):
    """A module for layers whose call follows Keras's flags."""

    def describe(self, native: Any) -> tuple[Stack, KerasOptions]:
        """Return the sizes and the options of a layer, built or not."""

    def parts(self, native: Any) -> Iterable[Part]:
        """Yield the parts of a layer, each described by one spec, see `frameworks.registry.parts_of`."""

    def call_whole(self, native: Any, inputs: Any, initial_state: Any, mask: Any, *, training: bool) -> Any:
        """Call a layer with its own flags, see `frameworks.registry.call_whole`."""


class FrameworkModule(LayerModule, Protocol):
    """The package of a framework."""

    def build(self, spec: RecurrentSpec, seed: int | None = None) -> Adapter:
        """Build a layer with the framework's default initialisation; the same seed gives the same weights."""

    def build_like(self, source: Adapter) -> Any:
        """Build the native layer into which `convert` copies the weights of `source`."""


class PortingModule(Protocol):
    """The submodule `porting` of an emulation."""

    def emulate(self, native: Any) -> Any:
        """Build the layer that behaves like a layer of the other framework, see `frameworks.emulate`."""


class BuilderModule(Protocol):
    """The module that builds layers of files in a framework."""

    def emulate(self, stored: Any) -> Any:
        """Build the layer that behaves like a layer in a file, see `frameworks.files.stored.StoredLayer.emulate`."""
