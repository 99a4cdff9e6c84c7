"""A checkpoint in several files, with a JSON index of the file that holds each array.

Source: https://huggingface.co/docs/transformers/main/en/big_models, "Sharded checkpoints".
"""

from __future__ import annotations

from pathlib import Path

from frameworks.errors import InvalidValueError
from frameworks.files.formats import STATE_DICTS, find_format
from frameworks.files.given_options import GivenOptions
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.modules import read_modules
from frameworks.files.untrusted.json_text import read_json
from frameworks.files.untrusted.source import Source, StoredArray, damaged, open_source

MAX_SHARDS = 500
_MAP = "weight_map"


def read(source: Source, given: GivenOptions) -> list[StoredLayer | OtherLayer]:
    """Read all files of an index, which must be in its folder.

    Args:
        source: the index.
        given: the user's options.

    Raises:
        GatewiseError: for a file that is missing, damaged or in another folder.
    """
    placed = read_json(source.read(0, source.size), source.name)[_MAP]
    files = list(dict.fromkeys(str(file) for file in placed.values()))
    if source.folder is None or len(files) > MAX_SHARDS or any(Path(file).name != file for file in files):
        raise InvalidValueError.because(
            source.name,
            must=f"list at most {MAX_SHARDS} files, all in its own folder",
            but=f"lists {len(files)}: {', '.join(files)[:100]}",
            remedy="Put the files beside it, and list them without a folder.",
        )
    arrays: dict[str, StoredArray] = {}
    unread: list[OtherLayer] = []
    for file in files:
        shard = open_source(source.folder / file)
        stored, others = find_format(shard, STATE_DICTS).read_arrays(shard)
        arrays |= {name: array for name, array in stored.items() if placed.get(name, file) == file}
        unread += others
    lacking = [str(name) for name in placed if name not in arrays and name not in {other.name for other in unread}]
    if lacking:
        raise damaged(source.name, f"lists arrays that its files lack: {', '.join(lacking)[:200]}")
    return [*read_modules(arrays, given), *unread]
