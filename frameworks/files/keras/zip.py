"""The .keras format (Keras 2.12 and later): a zip archive with the architecture and an h5 file of variables."""

from __future__ import annotations

from frameworks.files.given_options import GivenOptions
from frameworks.files.keras.architecture import Architecture
from frameworks.files.keras.config import Config
from frameworks.files.keras.layers import Reading
from frameworks.files.keras.paths import Layers, read_placed
from frameworks.files.keras.version import Version, version_of
from frameworks.files.untrusted.archive import Archive
from frameworks.files.untrusted.h5 import read_h5
from frameworks.files.untrusted.json_text import MAX_BYTES, read_json
from frameworks.files.untrusted.source import Source, damaged

CONFIG, METADATA, VARIABLES = "config.json", "metadata.json", "model.weights.h5"


def read(source: Source, given: GivenOptions, architecture: Config | None) -> Layers:
    """Read a .keras file.

    Args:
        source: the file.
        given: the user's options.
        architecture: the user's JSON, which overrides the architecture in the file; None for no override.

    Raises:
        GatewiseError: for a damaged file.
    """
    archive, stated = _open(source)
    version = stated.version
    if architecture is not None and version_of(architecture).text:
        version = version_of(architecture)
    reading = Reading(source.name, version, given)
    return read_placed(read_h5(archive.member(VARIABLES)), architecture or stated.model, reading)


def read_architecture(source: Source) -> Architecture:
    """Return the architecture in a .keras file.

    Args:
        source: the file.

    Raises:
        GatewiseError: for a damaged file.
    """
    return _open(source)[1]


def _open(source: Source) -> tuple[Archive, Architecture]:
    archive = Archive(source)
    for name in (CONFIG, METADATA, VARIABLES):
        if name not in archive:
            raise damaged(source.name, f"has no {name} in it")
    text = read_json(archive.read(METADATA, MAX_BYTES), f"{METADATA} in {source.name}").get("keras_version")
    model = read_json(archive.read(CONFIG, MAX_BYTES), f"{CONFIG} in {source.name}")
    return archive, Architecture(model, Version(text if isinstance(text, str) else ""), source.name)
