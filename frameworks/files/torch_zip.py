"""torch's files since 1.6: a zip archive of a pickle and one member for each storage; a TorchScript archive is one too."""

from __future__ import annotations

from typing import Any, Literal

from frameworks.files.answers import Answers
from frameworks.files.archive import Archive
from frameworks.files.keras_config import Config
from frameworks.files.source import Source, damaged
from frameworks.files.torch_layers import Layer, read_layers
from frameworks.files.torch_pickle import Tensor
from frameworks.files.torch_tensors import MAX_BYTES, Limited, find_tensors, read_pickle, stored_array

PICKLE = "data.pkl"


def is_torch_zip(source: Source) -> bool:
    """Tell whether a zip archive is torch's."""
    return any(name.count("/") == 1 and name.endswith(f"/{PICKLE}") for name in Archive(source))


def read(source: Source, architecture: Config | None, answers: Answers) -> list[Layer]:  # noqa: ARG001  torch writes none
    """Read a file of torch.save or torch.jit.save: parameters by name.

    Raises:
        GatewiseError: for a damaged file.
    """
    archive = Archive(source)
    (top,) = [name.removesuffix(PICKLE) for name in archive if name.count("/") == 1 and name.endswith(f"/{PICKLE}")][:1]
    order: Literal["<", ">"] = (
        ">" if f"{top}byteorder" in archive and archive.read(f"{top}byteorder", 1 << 20) == b"big" else "<"
    )
    pickled = archive.member(f"{top}{PICKLE}")
    if pickled.size > MAX_BYTES:
        raise damaged(pickled.name, f"has {pickled.size} bytes, more than {MAX_BYTES >> 20} MiB")
    members: dict[str, Source] = {}

    def elements(tensor: Tensor) -> Source:
        name = f"{top}data/{tensor.storage.key}"
        if name not in archive:
            raise damaged(source.name, f"lacks {name}, which a tensor lies in")
        if name not in members:
            members[name] = archive.member(name)
        return members[name]

    found: Any = read_pickle(Limited(pickled))
    return read_layers(
        {name: stored_array(tensor, elements(tensor), order) for name, tensor in find_tensors(found, source.name).items()},
        answers,
    )
