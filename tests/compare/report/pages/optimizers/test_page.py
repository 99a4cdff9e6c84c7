"""The page on optimizers: every one is there, its equations are what the frameworks compute, and a wrong one is noticed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.report.arrays import distance
from compare.report.contents import PAGES
from compare.report.pages.optimizers.experiment import COMPARISONS
from compare.report.pages.optimizers.experiment.checking import _SETTINGS, off_keras, off_torch
from compare.report.pages.optimizers.experiment.comparison import Equation
from compare.report.pages.optimizers.experiment.distances import run_case
from compare.report.pages.optimizers.experiment.equations import Rule
from compare.report.pages.optimizers.experiment.tex import print_expression
from compare.report.pages.optimizers.experiment.training import GRADIENTS, START, apply_in_keras, keras_variables
from compare.report.results import all_passed, leaves, measured, read_results
from frameworks.keras_in_torch.optimizers.fates import FATES

PAGE = next(page for page in PAGES if page.name == "optimizers")
REPORTS = Path(__file__).parents[5] / "reports"
EQUATIONS = [(name, equation) for name, one in COMPARISONS.items() for equation in one.equations]
RULES = [(f"{name} {side}", rule) for name, one in EQUATIONS for side in ("keras", "torch") if (rule := getattr(one, side))]


def results() -> dict[str, Any]:
    """The committed results: `gatewise report --check` finds them again in a run."""
    return read_results(REPORTS / "results.json")


def run() -> Any:
    return results()["optimizers"]["tensorflow"]


def label(value: Any) -> str | None:
    return value.where or "plain" if isinstance(value, Equation) else None


# The page


def test_the_page_passes_and_gives_question_verdict_table_equations_code_and_reproduction() -> None:
    assert PAGE.passed(results())
    text = PAGE.render(results())
    parts = (PAGE.question, "**Verdict.**", "|--", "```math", "```python", "## How to reproduce")
    places = [text.index(part) for part in parts]
    assert "FAILED" not in text
    assert places[0] < places[1] < places[2] < places[3] < places[5]


def test_every_optimizer_and_schedule_that_keras_exports_is_on_the_page() -> None:
    import keras

    text = PAGE.render(results())
    classes = {name for name, value in vars(keras.optimizers).items() if isinstance(value, type)}
    for name in classes - {"LegacyOptimizerWarning", "TFOptimizer"}:
        assert f"[{name}](#{name.lower()})" in text or f"| `{name}`" in text, name
        assert f"\n## {name}\n" in text or FATES[name].refused[1] in text, name
    schedules = {name for name, value in vars(keras.optimizers.schedules).items() if isinstance(value, type)}
    for name in schedules - {"LearningRateSchedule"}:
        assert f"| `{name}(" in text, name


def test_the_page_shows_all_the_code_and_all_the_equations_that_were_run() -> None:
    text = PAGE.render(results())
    shown = [value.value for _, value in leaves(run()) if isinstance(value.value, str) and "\n" in value.value]
    assert len(shown) > 40
    for code in shown:
        assert code.rstrip() in text


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    head = 0
    for line in PAGE.render(results()).splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not head or not cells or cells == head, line
        head = cells


def test_one_error_that_is_too_large_fails_the_page() -> None:
    wrong = results()
    wrong["optimizers"]["tensorflow"] = {**run(), "an error": measured(1.0, 1e-12)}
    assert not PAGE.passed(wrong)
    assert "FAILED" in PAGE.render(wrong)


def test_the_figure_is_drawn_from_the_results(tmp_path: Path) -> None:
    (figure,) = PAGE.figures
    figure.draw(results(), tmp_path / figure.file)
    assert (tmp_path / figure.file).read_bytes().startswith(b"\x89PNG")


# Equations


@pytest.mark.parametrize(("name", "equation"), EQUATIONS, ids=label)
def test_the_other_frameworks_equation_is_caught_wherever_the_two_differ(name: str, equation: Equation) -> None:
    comparison = COMPARISONS[name]
    if equation.torch is None:
        return
    same = name in ("SGD", "Adadelta")
    for error in (off_keras(name, comparison, equation, equation.torch), off_torch(comparison, equation, equation.keras)):
        assert (error <= 1e-12) is same if name != "Muon" else error > 1e-8


@pytest.mark.parametrize(
    ("name", "equation", "side"), [(*one, side) for one in EQUATIONS for side in ("keras", "torch")], ids=label
)
def test_the_place_of_every_setting_shows_in_what_an_equation_gives(name: str, equation: Equation, side: str) -> None:
    rule: Rule | None = getattr(equation, side)
    if rule is None:
        return
    at = 1 if equation.rank == 1 else 0
    settings = {one: _SETTINGS[one] for one in rule.settings}
    expected = rule.run(START[at], list(GRADIENTS[at][:4]), settings)
    for one, value in settings.items():
        moved = rule.run(START[at], list(GRADIENTS[at][:4]), settings | {one: value / 2})
        cancels = (name, one) == ("ScheduleFreeAdamW", "beta_1")  # see what the page says of it
        bounds = one in ("epsilon_2", "eps_2") and at == 0  # the vector's length, not that of the longer matrix
        assert bool(np.abs(moved - expected).max() < 1e-12) is (cancels or bounds), one


def test_beta_1_is_without_effect_in_keras_own_schedule_free_adamw() -> None:
    import keras

    found = []
    for beta_1 in (0.5, 0.9):
        variables = keras_variables()
        optimizer = keras.optimizers.ScheduleFreeAdamW(beta_1=beta_1)
        optimizer.build(variables)
        for step in range(4):
            apply_in_keras(optimizer, variables, [gradient[step] for gradient in GRADIENTS])
        found.append([variable.numpy() for variable in variables])
    assert distance(*found) < 1e-12


def test_a_rule_keeps_what_is_read_before_it_is_assigned() -> None:
    rule = Rule(("d = g - c", "c = c + rate * g", "theta = theta - d"), {"c": "first"})
    assert (rule.kept, rule.settings) == (("c",), ("rate", "first"))
    # c: 1, 2, 4; d: 1 - 1, 2 - 2; theta: 5 - 0 - 0.
    assert rule.run(np.array([5.0]), [np.array([1.0]), np.array([4.0])], {"rate": 1.0, "first": 1.0}) == [3.0]


@pytest.mark.parametrize(
    ("expression", "tex"),
    [
        ("beta_1 * (1 - g)", r"\beta_1 \, \left(1 - g\right)"),
        ("a - (b - c)", r"a - \left(b - c\right)"),
        ("(a - b) - c", r"a - b - c"),
        ("(a + b) / sqrt(v + eps)", r"\frac{a + b}{\sqrt{v + \varepsilon}}"),
        ("beta_2**t * 2", r"{\beta_2}^{t} \cdot 2"),
        ("(a * b)**2", r"\left(a \, b\right)^{2}"),
        ("n**(-learning_rate_power)", r"n^{-\kappa}"),
        ("max(1, rms(u))", r"\max(1, \mathrm{rms}(u))"),
    ],
)
def test_an_expression_is_printed_with_the_brackets_that_it_needs(expression: str, tex: str) -> None:
    assert print_expression(expression) == tex


def test_every_equation_is_tex_that_can_be_set() -> None:
    from matplotlib.mathtext import MathTextParser

    parser: Any = MathTextParser("path")
    for _, rule in RULES:
        first, *rows, last = rule.tex().splitlines()
        assert (first, last) == (r"\begin{aligned}", r"\end{aligned}")
        assert len(rows) == len(rule.lines)
        for row in rows:
            # mathtext knows no \| with a letter after it, and no alignment.
            parser.parse(f"${row.removesuffix(chr(92) * 2).replace('&', '')}$")


# Distances


def test_numbers_that_are_said_to_match_match_and_no_others() -> None:
    cases = [(name, case) for name, one in run()["optimizers"].items() for case in one["cases"].values()]
    matching = {name for name, case in cases if "matching" in case and case["matching"].kind == "measured"}
    assert matching == {"SGD", "Adagrad", "Adadelta", "Adafactor"}
    assert all(case["matching"].value > 1e-10 for name, case in cases if "matching" in case and name not in matching)


def test_numbers_that_do_not_match_fail_where_they_are_said_to() -> None:
    comparison = COMPARISONS["Adagrad"]
    wrong = replace(comparison.cases[0], matching="lr=learning_rate, eps=epsilon")
    found: Any = run_case("Adagrad", comparison, wrong)
    assert not found["matching"].passed
    assert found["ours"].passed


def test_a_setting_as_it_is_often_written_is_far_off_and_as_it_should_be_is_not() -> None:
    for name, one in run()["around"].items():
        assert one["wrong"].value > 1e-2, name
        assert one["right"].value < 1e-6, name
        assert one["ours"].value <= 1e-12, name


def test_refusals_say_what_the_table_of_fates_says() -> None:
    refused = {name: value.value for name, value in run()["refused"].items()}
    assert refused.keys() == {name for name, fate in FATES.items() if fate.rule is None}
    for name, said in refused.items():
        assert f"keras.optimizers.{name} " in said
        assert all(part in said for part in FATES[name].refused)


@pytest.mark.backend
def test_every_optimizer_is_followed_on_this_backend() -> None:
    import keras

    found: Any = run()["optimizers"]
    assert {name for name, one in found.items() if "ours" in one["cases"].get("default", {})} == {
        name for name, fate in FATES.items() if fate.rule
    }
    assert all_passed(found)
    exact = {name for name, one in found.items() if one["cases"] and one["cases"]["default"]["ours"].value <= 1e-12}
    assert exact >= {"SGD", "Adam", "RMSprop", "Nadam", "Lion"}, keras.config.backend()
