"""The original files, written to a folder as a user would have them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from compare.report.studies.originals import read_file, read_original
from compare.report.studies.real_models.recorded import RecordedModel


def lay_out(model: RecordedModel, folder: Path, to: Path) -> Path:
    """Write a model's original file into a separate folder, with the JSON of its architecture if there is one.

    Args:
        model: the model of the file.
        folder: the folder of the archives.
        to: the folder to write to; the files keep their names.

    Returns:
        The path of the original file.

    Raises:
        GatewiseError: as `read_original` does.
    """
    to.mkdir(parents=True, exist_ok=True)
    path = to / PurePosixPath(model.file).name
    path.write_bytes(read_original(model, folder))
    if model.architecture:
        (to / PurePosixPath(model.architecture).name).write_bytes(read_file(folder / model.archive, model.architecture))
    return path
