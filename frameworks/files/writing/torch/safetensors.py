"""The .safetensors format: a JSON header, then the arrays one after another.

Source: https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

from frameworks.errors import InvalidTypeError
from frameworks.files.writing.blocks import Tensor, ahead
from frameworks.files.writing.naming import DESCRIPTION
from frameworks.files.writing.outcome import Layer, Written
from frameworks.files.writing.torch.layout import lay_out

DTYPES = {
    **{f"float{bits}": f"F{bits}" for bits in (16, 32, 64)},
    **{f"int{bits}": f"I{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"U{bits}" for bits in (8, 16, 32, 64)},
    "bool": "BOOL",
}


def write(path: Path, layers: list[Layer]) -> list[Written]:
    """Write layers under torch's names."""
    laid = lay_out(layers)
    write_arrays(path, laid.tensors, {DESCRIPTION: laid.description})
    return laid.written


def write_arrays(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write arrays by name, a block at a time, and texts that describe them.

    Raises:
        GatewiseError: for an array whose dtype the format lacks.
    """
    # Large items first, so that every array is aligned.
    tensors = dict(sorted(tensors.items(), key=lambda item: -item[1].dtype.itemsize))
    header: dict[str, object] = {"__metadata__": {"format": "pt", **metadata}}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.nbytes
        if tensor.dtype.name not in DTYPES:
            raise InvalidTypeError.because(
                name, must="have a dtype of the format", but=f"has {tensor.dtype}", remedy="Leave the layer out."
            )
        header[name] = {"dtype": DTYPES[tensor.dtype.name], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for block in ahead(block for tensor in tensors.values() for block in tensor.blocks()):
            file.write(block.data)
