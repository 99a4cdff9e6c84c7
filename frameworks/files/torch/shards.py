"""A checkpoint in several files beside each other, and the JSON that says in which of them each array lies.

Source: https://huggingface.co/docs/transformers/main/en/big_models, "Sharded checkpoints".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from frameworks.errors import GatewiseError
from frameworks.files.given_options import Answers
from frameworks.files.keras.config import Config
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch import legacy as torch_legacy
from frameworks.files.torch import safetensors
from frameworks.files.torch import zip as torch_zip
from frameworks.files.torch.modules import read_modules
from frameworks.files.untrusted.json_text import MAX_BYTES, read_json
from frameworks.files.untrusted.source import Source, StoredArray, damaged, open_source

MAX_SHARDS = 500
_MAP = "weight_map"


def recognises(source: Source) -> bool:
    """Tell whether a file is JSON that maps arrays to files."""
    if source.head(1) != b"{" or source.size > MAX_BYTES:
        return False
    try:
        return isinstance(read_json(source.read(0, source.size), source.name).get(_MAP), Mapping)
    except GatewiseError:
        return False


def read(source: Source, architecture: Config | None, answers: Answers) -> list[StoredLayer | OtherLayer]:  # noqa: ARG001
    """Read all files of an index, each of which lies beside it.

    Args:
        source: the index.
        architecture: Keras has one, these files none.
        answers: what the user says of the layers.

    Raises:
        GatewiseError: for a file that is missing, damaged, or not beside the index.
    """
    placed = read_json(source.read(0, source.size), source.name)[_MAP]
    files = list(dict.fromkeys(str(file) for file in placed.values()))
    if source.folder is None or len(files) > MAX_SHARDS or any(Path(file).name != file for file in files):
        raise damaged(
            source.name, f"names files that do not lie beside it, or more than {MAX_SHARDS}: {', '.join(files)[:100]}"
        )
    arrays: dict[str, StoredArray] = {}
    unread: list[OtherLayer] = []
    for file in files:
        found, others = _arrays(open_source(source.folder / file))
        arrays |= {name: array for name, array in found.items() if placed.get(name, file) == file}
        unread += others
    lacking = [str(name) for name in placed if name not in arrays and name not in {other.name for other in unread}]
    if lacking:
        raise damaged(source.name, f"says that its files have {', '.join(lacking)[:200]}")
    return [*read_modules(arrays, answers), *unread]


def _arrays(source: Source) -> tuple[dict[str, StoredArray], list[OtherLayer]]:
    if safetensors.recognises(source):
        return safetensors.read_arrays(source)
    if torch_legacy.recognises(source):
        return torch_legacy.read_arrays(source)
    return torch_zip.read_arrays(source)
