"""What POSIX has and Windows lacks is missed nowhere: files are read and written all the same.

Covers: `frameworks/files/untrusted/h5_process.py`, `frameworks/files/untrusted/h5_worker.py`,
`frameworks/files/writing/replacing.py`, `frameworks/locking.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from frameworks.files import open_checkpoint

ROOT = Path(__file__).parents[4]
HIDING = """
import os, socket, sys
sys.modules.update(dict.fromkeys(("fcntl", "resource"), None))
for module, name in ((os, "preadv"), (socket, "send_fds"), (socket, "recv_fds")):
    if hasattr(module, name):
        delattr(module, name)
"""
"""A sitecustomize module: Python runs it at the start of a process, and of those that the process starts."""
SLEEPING = HIDING + "import time\nif any('h5_worker' in each for each in sys.orig_argv):\n    time.sleep(300)\n"
LACKING = "parsed without a limit on memory, which this system cannot set; the limit of 20 s holds"


def run(text: str, folder: Path, *arguments: Path, hiding: str = HIDING) -> str:
    """Run a script with a sitecustomize module; return what it says."""
    (folder / "hiding").mkdir()
    (folder / "hiding" / "sitecustomize.py").write_text(hiding)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder / "hiding"), str(ROOT)))}
    command = [sys.executable, "-W", "always::RuntimeWarning", "-c", text, *map(str, arguments)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert not run.returncode, run.stderr
    return run.stdout + run.stderr


@pytest.fixture
def kernel() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=(3, 12)).astype(np.float32)


@pytest.fixture
def file(tmp_path: Path, kernel: np.ndarray[Any, Any]) -> Path:
    """An h5 file of Keras with a GRU whose kernel lies in compressed pieces."""
    path = tmp_path / "gru.h5"
    others = {"recurrent_kernel:0": np.zeros((4, 12), np.float32), "bias:0": np.ones((2, 12), np.float32)}
    with h5py.File(path, "w") as written:
        written.attrs["layer_names"] = [b"gru"]
        group = written.create_group("gru")
        group.attrs["weight_names"] = [f"gru/{name}".encode() for name in ("kernel:0", *others)]
        group.create_dataset("gru/kernel:0", data=kernel, compression="gzip", chunks=(2, 5))
        for name, array in others.items():
            group.create_dataset(f"gru/{name}", data=array)
    return path


PORTING = """
import sys
from frameworks.files import open_checkpoint, save_checkpoint

checkpoint = open_checkpoint(sys.argv[1])
save_checkpoint(sys.argv[2], checkpoint)
save_checkpoint(sys.argv[2], checkpoint, force=True)
"""


@pytest.mark.parametrize("hiding", [HIDING, ""], ids=["hidden", "there"])
def test_a_file_is_ported_and_the_missing_limit_is_named(file: Path, kernel: np.ndarray[Any, Any], hiding: str) -> None:
    written = file.with_name("written.safetensors")
    said = run(PORTING, file.parent, file, written, hiding=hiding)
    assert (LACKING in said) == bool(hiding)
    assert {each.name for each in file.parent.iterdir()} == {"hiding", file.name, written.name}
    ((_, _, weights),) = open_checkpoint(written)["gru"].weights
    gates = weights.in_order(("update", "reset", "candidate")).kernel
    np.testing.assert_array_equal(np.concatenate(gates, axis=-1), kernel)


REFUSED = """
import sys
from frameworks.errors import GatewiseError
from frameworks.files import open_checkpoint
from frameworks.files.untrusted import h5_process

h5_process.SECONDS = 1
try:
    open_checkpoint(sys.argv[1])
except GatewiseError as error:
    print(error)
"""


def test_the_limit_of_time_holds(file: Path) -> None:
    assert "was still being read by the h5 library after 1 s" in run(REFUSED, file.parent, file, hiding=SLEEPING)


IMPORTING = """
import compare.cli, compare.training
import compare.report.long_runs, compare.report.studies.fetching
"""


def test_nothing_asks_for_it_when_it_is_imported(tmp_path: Path) -> None:
    assert not run(IMPORTING, tmp_path)


def test_no_module_of_the_process_hides_one_of_the_standard_library() -> None:
    folder = ROOT / "frameworks" / "files" / "untrusted"  # on sys.path while the process starts
    assert not {path.stem for path in folder.glob("*.py")} & sys.stdlib_module_names
