"""gatewise is found wherever Python starts, and an error names a module that hides one of its packages or is hidden by them.

Each test runs a fresh interpreter of an environment in which gatewise is installed: from a wheel, or by `pip install -e`.

Covers: `setup.py`, `compare/facade`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.shipping.installing import Environment, build, copy_checkout

Run = subprocess.CompletedProcess[str]

IMPORT = ("python", "-c", "import gatewise; print('gatewise', gatewise.GatewiseError.__name__)")
COMMAND = ("gatewise", "--version")
MODULE = ("python", "-m", "gatewise", "--version")
PYTEST = ("python", "-m", "pytest", "-q", "--disable-plugin-autoload", "-pgatewise_pytest", "-pno:cacheprovider", "test_it.py")
USES_FIXTURE = "def test_it(assert_parity):\n    assert assert_parity.__module__ == 'compare.parity.checking'\n"


@pytest.fixture(params=["editable", "installed"])
def environment(request: pytest.FixtureRequest) -> Environment:
    chosen: Environment = request.getfixturevalue(request.param)
    return chosen


def said(run: Run) -> str:
    return f"{run.stdout}\n{run.stderr}"


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def run_import(environment: Environment, folder: Path) -> Run:
    return environment.run(*IMPORT, cwd=folder)


def run_module(environment: Environment, folder: Path) -> Run:
    return environment.run(*MODULE, cwd=folder)


def run_command(environment: Environment, folder: Path) -> Run:
    """Run the command with the folder on the path, because the command does not look for modules in the current folder."""
    return environment.run(*COMMAND, cwd=folder, path=[folder])


def run_pytest(environment: Environment, folder: Path) -> Run:
    write(folder / "test_it.py", USES_FIXTURE)
    return environment.run(*PYTEST, cwd=folder)


Entry = Callable[[Environment, Path], Run]
ENTRIES: dict[Entry, int] = {run_import: 1, run_module: 2, run_command: 2, run_pytest: 1}
"""Each with its exit status if something hides a package."""
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.__name__)


@each_entry
def test_python_started_above_the_clone_gets_gatewise(editable: Environment, above: Path, entry: Entry) -> None:
    run = entry(editable, above)
    assert run.returncode == 0, said(run)


def test_without_links_the_clone_hides_what_is_installed_in_it(tmp_path: Path) -> None:
    clone = copy_checkout(tmp_path / "gatewise", without=("setup.py", "data", "reports", "tests"))
    shutil.unpack_archive(build("build_editable", clone, tmp_path).rename(tmp_path / "wheel.zip"), tmp_path / "packages")
    text = f"import site; site.addsitedir({str(tmp_path / 'packages')!r}); import gatewise; print(gatewise.__file__)"
    beside, above = (
        subprocess.run([sys.executable, "-SE", "-c", text], cwd=folder, capture_output=True, text=True, check=True).stdout
        for folder in (tmp_path / "packages", tmp_path)
    )
    assert (beside, above) == (f"{clone / 'compare' / 'facade' / '__init__.py'}\n", "None\n")


def test_a_new_module_of_the_clone_is_found_without_another_install(editable: Environment, above: Path) -> None:
    new = write(above / "gatewise" / "compare" / "returns" / "brand_new.py", "VALUE = 7\n")
    run = editable.run("python", "-c", "import compare.returns.brand_new as new; print(new.VALUE)", cwd=above)
    new.unlink()
    assert run.stdout == "7\n", run.stderr


@each_entry
@pytest.mark.parametrize(
    ("environment", "name"),
    [("editable", "compare.py"), ("installed", "frameworks/__init__.py")],
    indirect=["environment"],
)
def test_a_module_that_hides_a_package_is_named_and_renaming_it_helps(
    environment: Environment, tmp_path: Path, name: str, entry: Entry
) -> None:
    offender = write(tmp_path / name, "raise SystemExit('was run')\n")
    package = Path(name).parts[0].removesuffix(".py")
    run = entry(environment, tmp_path)
    assert f"{package} must be gatewise's own package, but is {offender}. Rename it." in said(run)
    assert run.returncode == ENTRIES[entry]
    assert "was run" not in said(run)
    assert entry is run_import or "Traceback" not in said(run)
    whole = tmp_path / Path(name).parts[0]
    whole.rename(whole.with_name(f"renamed_{whole.name}"))
    run = entry(environment, tmp_path)
    assert (run.returncode, "Rename" in said(run)) == (0, False), said(run)


@each_entry
def test_a_folder_that_gatewise_hides_is_named_and_renaming_it_helps(
    installed: Environment, tmp_path: Path, entry: Entry
) -> None:
    folders = {package: write(tmp_path / package / "notes.py").parent for package in ("compare", "frameworks")}
    run = entry(installed, tmp_path)
    assert run.returncode == 0, said(run)
    for package, folder in folders.items():
        assert f"{folder} must have a name of its own, but is hidden by gatewise's package {package}. Rename it." in said(run)
        folder.rename(tmp_path / f"renamed_{package}")
    run = entry(installed, tmp_path)
    assert (run.returncode, "Rename" in said(run)) == (0, False), said(run)


def test_a_folder_without_python_files_is_no_error(environment: Environment, tmp_path: Path) -> None:
    write(tmp_path / "compare" / "table.csv", "1,2\n")
    run = run_import(environment, tmp_path)
    assert (run.returncode, run.stderr) == (0, "")


def test_a_test_that_fails_because_a_module_is_hidden_gets_an_explanation(installed: Environment, tmp_path: Path) -> None:
    folder = write(tmp_path / "compare" / "notes.py").parent
    write(tmp_path / "test_it.py", "import compare.notes\n\ndef test_it():\n    pass\n")
    run = installed.run(*PYTEST, cwd=tmp_path)
    assert run.returncode == 2
    assert f"gatewise: {folder} must have a name of its own" in run.stdout
    folder.rename(tmp_path / "notebook")
    write(tmp_path / "test_it.py", "import notebook.notes\n\ndef test_it():\n    pass\n")
    assert installed.run(*PYTEST, cwd=tmp_path).returncode == 0


def test_the_plugin_names_a_users_own_gatewise_and_does_not_run_it(installed: Environment, tmp_path: Path) -> None:
    offender = write(tmp_path / "gatewise.py", "raise SystemExit('was run')\n")
    run = run_pytest(installed, tmp_path)
    assert run.returncode == 1
    assert f"gatewise must be the installed package, but is {offender}. Rename it." in run.stdout
    assert "was run" not in said(run)


def test_another_clone_is_distinguished_from_a_users_module(installed: Environment, above: Path) -> None:
    clone = above / "gatewise"
    run = installed.run(*MODULE, cwd=clone)
    assert run.returncode == 2
    assert f"It belongs to another gatewise, in {clone}: install that one, or start Python elsewhere." in run.stderr


def test_a_users_own_compare_replaces_the_command(environment: Environment, tmp_path: Path) -> None:
    write(tmp_path / "compare.py", "print('the own one')\n")
    assert environment.run("python", "-m", "compare", cwd=tmp_path).stdout == "the own one\n"


def test_a_page_that_needs_the_studies_says_that_it_needs_a_checkout(installed: Environment, tmp_path: Path) -> None:
    for page in ("real-models", "translation"):
        run = installed.run("gatewise", "report", "--only", page, cwd=tmp_path)
        assert run.returncode == 2
        assert f"the page {page} must have the data of the studies, which only a checkout has, but an" in run.stderr
        assert "Run `make report` in a clone of the repository" in run.stderr
    run = installed.run("python", "-m", "compare.report.studies", cwd=tmp_path)
    assert run.returncode == 2
    assert "gatewise: the study real_models must have" in run.stderr


def test_a_type_checker_sees_the_names(editable: Environment, tmp_path: Path) -> None:
    module = write(
        tmp_path / "port.py",
        "import gatewise\n"
        "from gatewise import Checkpoint, TrainingCheckpoint, assert_parity, convert, open_checkpoint\n"
        "opened: Checkpoint = open_checkpoint('model.h5')\n"
        "version: str = gatewise.__version__\n"
        "kept: Checkpoint = TrainingCheckpoint(path=version)\n"
        "gatewise.convrt\n",
    )
    # The frameworks' own types would take most of the time.
    skipped = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\n" for name in ("torch", "matplotlib", "rich", "h5py"))
    config = write(tmp_path / "mypy.ini", f"[mypy]\nstrict = true\n{skipped}")
    command = [sys.executable, "-m", "mypy", f"--config-file={config}", f"--python-executable={editable.scripts / 'python'}"]
    run = subprocess.run(
        [*command, f"--cache-dir={tmp_path}", str(module)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    wrong = [line.partition(": error: ")[0].rpartition(":")[2] for line in run.stdout.splitlines() if ": error: " in line]
    assert wrong == ["5", "5", "6"], run.stdout
