"""The project file lists what the folders contain, and imports load no more than they need.

Covers: `pyproject.toml`.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from statistics import median

import pytest

import frameworks.files
import gatewise

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HEAVY = ("h5py", "jax", "keras", "matplotlib", "numpy", "tensorflow", "tf_keras", "torch")


def loaded_after(statement: str, *, whole: bool = False) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after `statement`: their top-level or full names."""
    text = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name if whole else name.partition(".")[0] for name in json.loads(run.stdout)}


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


def test_the_command_is_found_by_a_name_that_no_package_of_a_user_has() -> None:
    (entry,) = [entry for entry in entry_points(group="console_scripts") if entry.name == "gatewise"]
    assert entry.value == "gatewise.__main__:main"


def test_the_version_is_one() -> None:
    assert gatewise.__version__ == frameworks.__version__
    for module in ("gatewise", "compare"):
        command = [sys.executable, "-m", module, "--version"]
        run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        assert run.stdout == f"gatewise {frameworks.__version__}\n"


def test_help_loads_nothing_that_it_does_not_print() -> None:
    script = "from compare.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    loaded = loaded_after(
        f"import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    exec({script!r})", whole=True
    )
    ours = {name for name in loaded if name.partition(".")[0] in ("compare", "frameworks")}
    assert ours == {"compare", "compare.cli", "compare.commands", "frameworks", "frameworks.lazy_imports"}
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("statement", ["import frameworks", "import gatewise", "import sys; sys.argv[1:] = ['--help']; main()"])
def test_starting_takes_little_more_than_python_itself(statement: str) -> None:
    statement = statement.replace("main()", "from gatewise.__main__ import main; main()")
    taken: dict[str, list[float]] = {"pass": [], statement: []}
    for _ in range(7):
        for text, times in taken.items():
            times.append(processor_time(text))
    assert median(taken[statement]) - median(taken["pass"]) < 0.15


def processor_time(statement: str) -> float:
    """Return the processor time of a fresh interpreter in seconds, which leaves out waiting on a busy machine."""
    command = [sys.executable, "-c", statement]
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, cwd=ROOT)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_the_packages_alone_load_nothing_heavy() -> None:
    assert loaded_after("import gatewise, compare, compare.cli, frameworks.files").isdisjoint({*HEAVY, "numpy"})
    assert "numpy" in loaded_after("from frameworks import adapt")


@pytest.mark.parametrize(
    "statement", ["import gatewise", "import frameworks, compare", "import compare.cli", "import compare.training"]
)
def test_no_framework_is_loaded_by_an_import(statement: str) -> None:
    assert loaded_after(statement).isdisjoint({*HEAVY} - {"numpy"})
