"""Where the data of the studies lie: in a checkout, beside their code. An installed package leaves them out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from frameworks.errors import GatewiseError

_STUDIES = Path(__file__).parent


class MissingDataError(GatewiseError, FileNotFoundError):
    """The data of a study, which an installed package does not have."""


def data_folder(study: str) -> Path:
    """Return the folder of a study's data.

    Raises:
        GatewiseError: if it is not there, as in an installed package.
    """
    folder = _STUDIES / study / "data"
    if not folder.is_dir():
        raise _missing(f"the study {study}", f"{folder} is not there")
    return folder


def require_data(studies: Iterable[str], subject: str) -> None:
    """Refuse to run what needs the data of studies where they are not.

    Args:
        studies: by name, those that are needed.
        subject: what needs them.

    Raises:
        GatewiseError: if the data of one of them are not there.
    """
    if not all((_STUDIES / study / "data").is_dir() for study in studies):
        raise _missing(subject, "an installed gatewise leaves them out")


def _missing(subject: str, observation: str) -> MissingDataError:
    return MissingDataError.because(
        subject,
        must="have the data of the studies, which only a checkout has",
        but=observation,
        remedy="Run `make report` in a clone of the repository or in the unpacked source archive, or choose another page:"
        " `gatewise report --only PAGE`.",
    )
