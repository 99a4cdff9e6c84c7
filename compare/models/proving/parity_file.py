"""OUT.parity.json: a proof beside its port, with the versions and the hashes of the files that it is about."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from compare.models.proving.proof import Proof
from frameworks.files.writing.replacing import replacing
from frameworks.models.source import parity_path

ABOUT = "What `gatewise port` compared with what; `gatewise verify MODEL OUT.py` does it again."


def write_parity(proof: Proof, out: Path, files: list[Path]) -> Path:
    """Write a proof beside a port, at once or not at all.

    Args:
        proof: the proof.
        out: OUT.py.
        files: the files that it is about.
    """
    hashes = {path.name: _hash(path) for path in files}
    whole = {"about": ABOUT, **proof.to_dict(), "sha256": hashes}
    path = parity_path(out)
    with replacing(path, force=True) as written:
        written.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return path


def _hash(path: Path) -> str:
    found = sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            found.update(block)
    return found.hexdigest()
