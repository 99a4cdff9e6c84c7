"""The project file lists what the folders hold."""

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HEAVY = ("h5py", "jax", "keras", "matplotlib", "numpy", "tensorflow", "tf_keras", "torch")


def loaded_after(statement: str) -> set[str]:
    """Give the top-level modules that a fresh interpreter has loaded after `statement`."""
    text = f"import json, sys\n{statement}\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(run.stdout))


def test_every_package_folder_is_installed_once() -> None:
    folders = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for top in ("compare", "frameworks")
        for file in (ROOT / top).rglob("__init__.py")
    }
    setuptools = PROJECT["tool"]["setuptools"]
    renamed = {folder.replace("/", "."): name for name, folder in setuptools["package-dir"].items()}
    assert sorted(setuptools["packages"]) == sorted(renamed.get(folder, folder) for folder in folders)


def test_every_direct_dependency_is_pinned() -> None:
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = {item.partition(">=")[0].lower() for group in (PROJECT["project"]["dependencies"], *extras) for item in group}
    assert {name for name in wanted if not name.startswith("gatewise[")} <= pinned


def test_pytest_loads_the_plugin_by_a_name_of_its_own() -> None:
    (entry,) = [entry for entry in entry_points(group="pytest11") if entry.name == "gatewise"]
    assert entry.value == "gatewise_pytest"


def test_the_packages_alone_load_nothing_heavy() -> None:
    assert loaded_after("import compare, compare.cli, frameworks.files").isdisjoint({*HEAVY, "numpy"})
    assert "numpy" in loaded_after("from frameworks import adapt")


@pytest.mark.parametrize("statement", ["import frameworks, compare", "import compare.cli", "import compare.training"])
def test_no_framework_is_loaded_by_an_import(statement: str) -> None:
    assert loaded_after(statement).isdisjoint({*HEAVY} - {"numpy"})
