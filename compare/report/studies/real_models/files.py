"""The original files as somebody has them who ports them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from compare.report.studies.originals import read_file, read_original
from compare.report.studies.real_models.recorded import RecordedModel


def lay_out(model: RecordedModel, folder: Path, to: Path) -> Path:
    """Write the model's original file into a folder of its own, and the JSON of its architecture where there is one.

    Args:
        model: whose file it is.
        folder: of the archives.
        to: where to; the files keep the last part of their names.

    Returns:
        The path of the original file.

    Raises:
        GatewiseError: as `read_original`.
    """
    to.mkdir(parents=True, exist_ok=True)
    path = to / PurePosixPath(model.file).name
    path.write_bytes(read_original(model, folder))
    if model.architecture:
        (to / PurePosixPath(model.architecture).name).write_bytes(read_file(folder / model.archive, model.architecture))
    return path
