"""The location of the studies' data: beside their code in a checkout. An installed package leaves them out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from frameworks.errors import GatewiseError

_STUDIES = Path(__file__).parent
_FOLDERS = {"wrong_ports": "entries"}
"""The folders of data that have a name of their own."""


class MissingDataError(GatewiseError, FileNotFoundError):
    """Missing data of a study, as in an installed package."""


def data_folder(study: str) -> Path:
    """Return the folder of a study's data.

    Raises:
        GatewiseError: if the folder does not exist, as in an installed package.
    """
    folder = _folder(study)
    if not folder.is_dir():
        raise _missing(f"the study {study}", f"{folder} does not exist")
    return folder


def require_data(studies: Iterable[str], subject: str) -> None:
    """Require the data of some studies.

    Args:
        studies: the names of the studies.
        subject: the page or command that needs the data, for the message.

    Raises:
        GatewiseError: if the data of one of them are missing.
    """
    if not all(_folder(study).is_dir() for study in studies):
        raise _missing(subject, "an installed gatewise leaves them out")


def _folder(study: str) -> Path:
    return _STUDIES / study / _FOLDERS.get(study, "data")


def _missing(subject: str, observation: str) -> MissingDataError:
    return MissingDataError.because(
        subject,
        must="have the data of the studies, which only a checkout has",
        but=observation,
        remedy="Run `make report` in a clone of the repository or in the unpacked source archive, or choose another page:"
        " `gatewise report --only PAGE`.",
    )
