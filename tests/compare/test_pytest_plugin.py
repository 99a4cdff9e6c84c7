"""The pytest plugin costs nothing if it is not used, and it notices a `compare` that is not gatewise's."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

USES_FIXTURE = "def test_it(assert_parity):\n    assert_parity(1, 2)\n"

# Stands for compare.parity, so that what the plugin passes on can be seen without a framework.
STUBBED = """
    import pytest

    @pytest.fixture(autouse=True, scope="session")
    def stub():
        import compare
        compare.assert_parity = lambda *args, **kwargs: (args, kwargs)
        compare.assert_models_agree = lambda *args, **kwargs: ("models", kwargs)
"""


@pytest.fixture(autouse=True)
def as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a user does, with gatewise installed rather than on PYTHONPATH."""
    monkeypatch.delenv("PYTHONPATH", raising=False)


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    unneeded = ("cacheprovider", "hypothesispytest", "benchmark")
    return pytester.runpytest_subprocess(*(f"-pno:{name}" for name in unneeded), *args)


def test_a_project_that_never_uses_it_pays_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_heavy_is_loaded():
            assert "gatewise_pytest" in sys.modules
            heavy = {"compare", "frameworks", "gatewise", "numpy", "keras", "tensorflow", "torch", "tf_keras", "matplotlib"}
            assert heavy.isdisjoint(sys.modules)
        """
    )
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.parametrize("place", ["compare.py", "compare/__init__.py"])
def test_a_users_own_compare_keeps_working(pytester: pytest.Pytester, place: str) -> None:
    write(pytester, place, "VALUE = 7\n")
    pytester.makepyfile("import compare\n\ndef test_it():\n    assert compare.VALUE == 7\n")
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("place", "imported_first"),
    [
        ("compare.py", False),
        ("compare.py", True),
        ("compare/__init__.py", False),
        ("frameworks.py", False),
        ("frameworks/__init__.py", True),
    ],
)
def test_a_file_that_hides_the_package_is_named(pytester: pytest.Pytester, place: str, *, imported_first: bool) -> None:
    offender = write(pytester, place, "")
    package = Path(place).parts[0].removesuffix(".py")
    pytester.makepyfile((f"import {package}\n" if imported_first else "") + USES_FIXTURE)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{package} must be gatewise's own package, but is {offender}. Rename it.*"])


@pytest.mark.parametrize("first", ["", "import compare\n"])
def test_a_folder_without_init_gives_way_and_is_named(pytester: pytest.Pytester, first: str) -> None:
    folder = write(pytester, "compare/notes.py", "").parent
    checked = "def test_it(assert_parity):\n    assert assert_parity.__module__ == 'compare.parity.checking'\n"
    pytester.makepyfile(first + checked)
    result = run(pytester)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [f"*{folder} must have a name of its own, but is hidden by gatewise's package compare. Rename it."]
    )


def test_a_hiding_file_is_not_run_to_find_out(pytester: pytest.Pytester) -> None:
    write(pytester, "compare.py", "raise SystemExit('was run')\n")
    pytester.makepyfile(USES_FIXTURE)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.no_fnmatch_line("*was run*")


def test_a_test_folder_of_that_name_is_named(pytester: pytest.Pytester) -> None:
    offender = write(pytester, "tests/compare/__init__.py", "")
    write(pytester, "tests/compare/test_it.py", USES_FIXTURE)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*compare must be gatewise's own package, but is {offender}.*"])
    run(pytester, "--import-mode=importlib", "-k", "nothing").assert_outcomes(deselected=1)


def test_a_file_that_hides_nothing_is_not_reported(pytester: pytest.Pytester) -> None:
    write(pytester, "compare.py", "raise SystemExit('was run')\n")
    pytester.makeconftest(STUBBED)
    write(pytester, "tests/test_it.py", USES_FIXTURE)
    # The command `pytest` leaves the working directory off sys.path. Not pytester.run, which puts it there.
    command = [str(Path(sys.executable).with_name("pytest")), "--import-mode=importlib", "-s", "tests"]
    result = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, check=False)
    assert "1 passed" in result.stdout, result.stdout


def shown(pytester: pytest.Pytester, call: str, *args: str, ini: str = "") -> Callable[[str], None]:
    """Run one test that prints what `call` passes on, and return a function that checks the printed keywords."""
    pytester.makeconftest(STUBBED)
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile(f"def test_it(assert_parity, assert_models_agree):\n    print('passed on', {call})\n")
    result = run(pytester, "-s", *args)
    result.assert_outcomes(passed=1)

    def check(keywords: str) -> None:
        result.stdout.fnmatch_lines([f"*passed on {keywords}*"])

    return check


def test_without_an_option_the_call_is_passed_on_as_it_is(pytester: pytest.Pytester) -> None:
    shown(pytester, "assert_parity(1, 2), assert_models_agree(1, 2)")("((1, 2), {}) ('models', {})")


def test_the_ini_value_is_the_tolerance(pytester: pytest.Pytester) -> None:
    both = "assert_parity(1, 2), assert_models_agree(1, 2)"
    check = shown(pytester, both, ini="gatewise_tolerance = 1e-3")
    check("((1, 2), {'tolerance': 0.001}) ('models', {'tolerance': 0.001})")


def test_the_option_wins_over_the_ini_value(pytester: pytest.Pytester) -> None:
    check = shown(pytester, "assert_parity(1, 2)", "--gatewise-tolerance=1e-4", ini="gatewise_tolerance = 1e-3")
    check("((1, 2), {'tolerance': 0.0001})")


def test_the_argument_wins_over_the_option(pytester: pytest.Pytester) -> None:
    both = "assert_parity(1, 2, tolerance=0.5), assert_models_agree(1, 2, tolerance=0.25)"
    check = shown(pytester, both, "--gatewise-tolerance=1e-4")
    check("((1, 2), {'tolerance': 0.5}) ('models', {'tolerance': 0.25})")


@pytest.mark.parametrize("value", ["0", "-1e-5", "inf", "nan", "small", ""])
def test_an_option_that_is_not_a_tolerance_is_refused(pytester: pytest.Pytester, value: str) -> None:
    pytester.makepyfile("def test_it():\n    pass\n")
    result = run(pytester, f"--gatewise-tolerance={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--gatewise-tolerance must be a positive finite number, but is '{value}'. Pass one*"])


def test_an_ini_value_that_is_not_a_tolerance_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngatewise_tolerance = 1e-5x\n")
    pytester.makepyfile("def test_it():\n    pass\n")
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*gatewise_tolerance must be a positive finite number, but is '1e-5x'. Pass one*"])


def write(pytester: pytest.Pytester, place: str, text: str) -> Path:
    path = pytester.path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path
