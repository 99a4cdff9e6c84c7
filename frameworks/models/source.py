"""`Source`: a module of the other framework as text and arrays, and the two files that it is written to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.rows import FrameworkName

Array = npt.NDArray[Any]


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


@dataclass(frozen=True, eq=False)
class Source:
    """A module of the other framework, as text and arrays.

    Args:
        to: the framework of the module.
        text: the module's source.
        table: a row for each layer of the model, in the order of its calls.
        gaps: what is left for the reader to fill in; () for a complete port.
        blocks: its arrays by name, in the target's layout, read when they are used.
    """

    to: FrameworkName
    text: str
    table: tuple[Became, ...] = ()
    gaps: tuple[Gap, ...] = ()
    blocks: Mapping[str, Blocks] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays by name, in the target's layout, read from the model each time."""
        return {
            name: np.concatenate([block.reshape(-1) for block in each.blocks()] or [np.empty(0, each.dtype)]).reshape(
                each.shape
            )
            for name, each in self.blocks.items()
        }

    def write(self, path: str | PathLike[str], *, force: bool = False) -> list[Path]:
        """Write the source and, beside it, its arrays: OUT.py and OUT.safetensors, or OUT.weights.h5 for Keras.

        Args:
            path: where to write, with or without .py.
            force: whether to replace existing files.

        Returns:
            The paths of the files, the source first.

        Raises:
            GatewiseError: for an existing file without `force`, and for a path that cannot be written to.
        """
        raise NotImplementedError((path, force))


def _read(blocks: Blocks) -> Array:
    parts = [block.reshape(-1) for block in blocks.blocks()] or [np.empty(0, blocks.dtype)]
    return np.concatenate(parts).reshape(blocks.shape)
