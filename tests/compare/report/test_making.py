"""The committed report says what a run says, and `--check` notices when it does not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from compare import cli
from compare.report import making as report
from compare.report.contents import INDEX, PAGES
from compare.report.processes import settings_of
from compare.report.results import Value, control, environment, exact, leaves, measured, read_results, write_results

REPORTS = Path(__file__).parents[3] / "reports"


@pytest.fixture
def committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the committed report, and experiments that find the committed results again."""
    folder = tmp_path / "reports"
    shutil.copytree(REPORTS, folder)
    results = read_results(REPORTS / report.RESULTS)
    monkeypatch.setattr(report, "_run", lambda pages, progress: results)
    return folder


def check(folder: Path) -> list[str]:
    return report.check_report(folder, None, lambda text: None)


def test_the_committed_pages_are_what_the_committed_results_render_to(committed: Path) -> None:
    assert check(committed) == []


def test_every_page_of_the_committed_report_has_passed() -> None:
    results = read_results(REPORTS / report.RESULTS)
    assert [page.name for page in PAGES if not (page.covers(results) and page.passed(results))] == []


def test_check_writes_nothing(committed: Path) -> None:
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in committed.iterdir()}
    check(committed)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in committed.iterdir()} == before


@pytest.mark.parametrize("name", [*(page.file for page in PAGES), INDEX.file])
def test_a_page_that_was_edited_by_hand_is_named(committed: Path, name: str) -> None:
    with (committed / name).open("a") as page:
        page.write("\n")
    assert check(committed) == [f"{name} differs from its rendered results.json"]


def test_a_page_or_figure_that_is_gone_is_named(committed: Path) -> None:
    (committed / "parity.md").unlink()
    (committed / "gate-blocks.png").unlink()
    assert check(committed) == ["gate-blocks.png, a figure of weights.md, is missing", "parity.md is missing"]


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("return_values", "tensorflow", "minimal", "gru", "arrays"), exact(3)),
        (("return_values", "tensorflow", "mistakes", "wrong", "output[:, -1]"), control(0.0)),
        (("real_models", "tensorflow", "dgaintel", "ported"), measured(1.0, 2e-5)),
    ],
)
def test_results_that_a_run_does_not_find_again_are_named(
    committed: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[str, ...], wrong: Value
) -> None:
    fresh = read_results(REPORTS / report.RESULTS)
    branch: Any = fresh
    for step in place[:-1]:
        branch = branch[step]
    branch[place[-1]] = wrong
    monkeypatch.setattr(report, "_run", lambda pages, progress: fresh)
    (sentence,) = check(committed)
    assert sentence.startswith("/".join(place))


def test_a_failed_value_shows_on_its_page_and_in_the_index() -> None:
    results = read_results(REPORTS / report.RESULTS)
    results["real_models"]["tensorflow"]["dgaintel"]["ported"] = measured(0.5, 2e-5)
    page = next(page for page in PAGES if page.name == "real-models")
    assert not page.passed(results)
    assert "**Verdict.** FAILED" in page.render(results)
    assert re.search(r"Real models.*\*\*FAILED\*\*", INDEX.render(results))


def test_each_page_gives_question_verdict_code_and_reproduction_in_this_order() -> None:
    for page in PAGES:
        text = (REPORTS / page.file).read_text(encoding="utf-8")
        places = [
            text.index(part)
            for part in (f"# {page.title}", page.question, "**Verdict.**", "|--", "```python", "## How to reproduce")
        ]
        assert places[:3] == sorted(places[:3])
        assert places[-1] == max(places)
        assert "/tmp" not in text  # noqa: S108
        assert str(Path.home()) not in text


def test_every_figure_of_a_page_is_shown_on_it_and_lies_beside_it() -> None:
    for page in PAGES:
        text = (REPORTS / page.file).read_text(encoding="utf-8")
        shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
        assert shown == [figure.file for figure in page.figures]
        assert all((REPORTS / name).read_bytes().startswith(b"\x89PNG") for name in shown)


def test_the_results_hold_no_path_and_no_clock() -> None:
    for place, value in leaves(read_results(REPORTS / report.RESULTS)):
        assert "/root" not in str(value.value), place
        assert "/home" not in str(value.value), place


def test_an_experiment_runs_on_one_thread_of_the_cpu_whatever_the_caller_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    settings = settings_of("torch")
    assert settings["OMP_NUM_THREADS"] == "1"
    assert settings["CUDA_VISIBLE_DEVICES"] == "-1"
    assert settings["KERAS_BACKEND"] == "torch"


def test_an_unknown_page_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "--only", "gradients"]) == 2
    known = (
        "return-values, weights, hidden-states, masking, options, mistakes, models, porting, parity, real-models, training,"
        " optimizers"
    )
    assert f"the page must be one of {known}, translation, but is 'gradients'" in capsys.readouterr().err


def test_the_command_alone_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 2
    said = capsys.readouterr()
    assert "report" in said.err
    assert said.err.count("usage:") == 1
    assert not said.out


def test_results_that_lack_a_page_are_named(committed: Path) -> None:
    results = read_results(committed / report.RESULTS)
    del results["weights"]
    write_results(results, committed / report.RESULTS)
    assert "results.json has no results for weights.md" in check(committed)


def test_a_target_that_is_a_file_is_refused_before_anything_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("mine")
    assert cli.main(["report", "--out", str(tmp_path / "out")]) == 2
    assert "must be a folder, but is a file" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


def test_one_page_is_not_mixed_with_others_of_another_environment(
    committed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = read_results(REPORTS / report.RESULTS)
    fresh["environment"]["keras"] = environment("3.99")
    monkeypatch.setattr(report, "_run", lambda pages, progress: fresh)
    before = {path.name: path.read_bytes() for path in committed.iterdir()}
    assert cli.main(["report", "--out", str(committed), "--only", "weights"]) == 2
    assert "differ in keras" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in committed.iterdir()} == before


@pytest.mark.parametrize("name", [*(page.file for page in PAGES), INDEX.file])
def test_every_row_of_a_table_has_as_many_cells_as_its_head(name: str) -> None:
    head = 0
    for line in (REPORTS / name).read_text(encoding="utf-8").splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not head or not cells or cells == head, line
        head = cells


def test_a_damaged_value_is_a_page_that_is_out_of_date(committed: Path) -> None:
    results = read_results(committed / report.RESULTS)
    results["weights"]["tensorflow"]["omitted"] = exact(3)
    write_results(results, committed / report.RESULTS)
    assert "weights.md differs from its rendered results.json" in check(committed)
