"""The archives and environments that these tests share, each built once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from frameworks import __version__
from tests.shipping.installing import ROOT, Environment, build, copy_checkout, install


@pytest.fixture(scope="session")
def above(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder above a clone, which has the usual name gatewise."""
    folder = tmp_path_factory.mktemp("above")
    copy_checkout(folder / "gatewise")
    return folder


@pytest.fixture(scope="session")
def dist(above: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the archives: those of `make dist`, or a wheel built here from a source archive."""
    if given := os.environ.get("GATEWISE_DIST"):
        return ROOT / given
    folder = tmp_path_factory.mktemp("dist")
    shutil.unpack_archive(build("build_sdist", above / "gatewise", folder), folder / "unpacked")
    build("build_wheel", folder / "unpacked" / f"gatewise-{__version__}", folder)
    return folder


@pytest.fixture(scope="session")
def editable(above: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return install(tmp_path_factory.mktemp("editable"), "--editable", str(above / "gatewise"))


@pytest.fixture(scope="session")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return install(tmp_path_factory.mktemp("installed"), str(dist / f"gatewise-{__version__}-py3-none-any.whl"))
