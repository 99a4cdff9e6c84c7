"""`Source`: a module of the other framework as text and arrays, and the two files that it is written to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.files.untrusted.source import recycling
from frameworks.files.writing.blocks import BLOCK
from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.files.writing.replacing import replacing, require_free, setting_aside
from frameworks.files.writing.torch.safetensors import write_arrays
from frameworks.rows import FrameworkName
from frameworks.showing import Shown, markdown_blocks, markdown_list, markdown_table

Array = npt.NDArray[Any]


ENDINGS: Mapping[FrameworkName, str] = MappingProxyType({"pytorch": ".safetensors", "keras": ".weights.h5"})
"""The ending of the arrays' file beside the source, by the framework of the source."""


def parity_path(module: Path) -> Path:
    """Return the path of the proof of a source, which `gatewise port` writes."""
    return module.with_suffix(".parity.json")


@dataclass(frozen=True)
class Became:
    """A row of the table of a source: what one layer became.

    Args:
        layer: the layer's name in the model, those of nested models before it, joined by slashes.
        kind: its class in the model.
        here: what stands for it in the source: "self.lstm", or an expression.
        how: what became of it, in words: what is the same, what is written otherwise, what was left out.
    """

    layer: str
    kind: str
    here: str
    how: str


@dataclass(frozen=True)
class Gap:
    """A layer that is left for the reader to fill in.

    Args:
        layer: the layer's name in the model.
        kind: its class.
        why: why it could not be written.
        method: the method of the source that raises NotImplementedError until it is filled in.
    """

    layer: str
    kind: str
    why: str
    method: str


@dataclass(frozen=True, eq=False, repr=False)
class Source(Shown):
    """A module of the other framework, as text and arrays.

    Args:
        to: the framework of the module.
        text: the module's source.
        table: a row for each layer of the model, in the order of its calls.
        gaps: what is left for the reader to fill in; () for a complete port.
        blocks: its arrays by name, in the target's layout, read when they are used.
        port: what the text and its file of arrays both state, so that no other file is taken for it.

    Example:
        >>> import keras
        >>> layers = [keras.Input((3,), name="features"), keras.layers.Dense(2, name="head")]
        >>> keras.Sequential(layers, name="tiny").save("tiny.keras")
        >>> source = to_source("tiny.keras")
        >>> source
        <Source for pytorch: 2 layers, 2 arrays, no gaps>
        >>> [path.name for path in source.write("tiny")]
        ['tiny.py', 'tiny.safetensors']
    """

    to: FrameworkName
    text: str
    table: tuple[Became, ...] = ()
    gaps: tuple[Gap, ...] = ()
    blocks: Mapping[str, Blocks] = field(default_factory=lambda: MappingProxyType({}))
    port: str = ""

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays by name, in the target's layout, read from the model each time."""
        return {
            name: np.concatenate([block.reshape(-1) for block in each.blocks()] or [np.empty(0, each.dtype)]).reshape(
                each.shape
            )
            for name, each in self.blocks.items()
        }

    def to_markdown(self) -> str:
        """Return the table of layers, and the gaps."""
        rows = [(row.layer, row.kind, row.here, row.how) for row in self.table]
        gaps = [f"{gap.layer}: {gap.method} is to be filled in, since {gap.why}." for gap in self.gaps]
        return markdown_blocks(markdown_table(("layer", "kind", "here", "what became of it"), rows), markdown_list(gaps))

    def _in_a_line(self) -> str:
        gaps = f"gaps: {', '.join(gap.layer for gap in self.gaps)}" if self.gaps else "no gaps"
        return f"Source for {self.to}: {len(self.table)} layers, {len(self.blocks)} arrays, {gaps}"

    def write(self, path: str | PathLike[str], *, force: bool = False) -> list[Path]:
        """Write the source and, beside it, its arrays: OUT.py and OUT.safetensors, or OUT.weights.h5 for Keras.

        With `force`, the proof of an earlier port beside it, OUT.parity.json, is removed.

        Args:
            path: where to write, with or without .py.
            force: whether to replace existing files.

        Returns:
            The paths of the files, the source first.

        Raises:
            GatewiseError: for an existing file without `force`, and for a path that cannot be written to.
        """
        module = Path(path)
        module = module if module.suffix == ".py" else module.with_name(f"{module.name}.py")
        arrays = module.with_suffix(ENDINGS[self.to])
        # The files cannot get their names at once. It is the source that makes them a port: the earlier one goes first, and
        # the new one comes last. A run that is killed leaves the earlier port, or arrays without a source, or this port.
        proof = parity_path(module)
        with (
            setting_aside(module, proof, arrays, force=force) as set_aside,
            replacing(module, force=force) as text,
            replacing(arrays, force=force) as content,
            recycling(BLOCK),
        ):
            require_free(proof, force=force)
            text.write_text(self.text, encoding="utf-8", newline="\n")
            self.write_arrays(content)
            set_aside({module: text, arrays: content})
        return [module, arrays]

    def write_arrays(self, path: Path) -> None:
        """Write the arrays alone."""
        if self.to == "pytorch":
            write_arrays(path, self.blocks, {"port": self.port})
        else:
            import_module("frameworks.files.writing.keras.variables").write_variables(path, self.blocks)
