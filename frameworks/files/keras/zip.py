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
    return read_described(source, given, architecture)[0]


def read_described(source: Source, given: GivenOptions, architecture: Config | None) -> tuple[Layers, Architecture]:
    """Read a .keras file, and return its architecture, too. See `read`."""
    archive = Archive(source)
    for name in (CONFIG, METADATA, VARIABLES):
        if name not in archive:
            raise damaged(source.name, f"has no {name} in it")
    version_text = read_json(archive.read(METADATA, MAX_BYTES), f"{METADATA} in {source.name}").get("keras_version")
    version = Version(version_text if isinstance(version_text, str) else "")
    if architecture is None:
        architecture = read_json(archive.read(CONFIG, MAX_BYTES), f"{CONFIG} in {source.name}")
    elif version_of(architecture).text:
        version = version_of(architecture)
    reading = Reading(source.name, version, given)
    layers = read_placed(read_h5(archive.member(VARIABLES)), architecture, reading)
    return layers, Architecture(architecture, version, source.name)
