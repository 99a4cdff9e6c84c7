"""Every optimizer that Keras ships: both rules as equations, the closest settings, and the differences after training."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from compare.report.pages.optimizers.experiment.around_the_rule import PRELUDE, SETTINGS, run_setting
from compare.report.pages.optimizers.experiment.checking import check_equations
from compare.report.pages.optimizers.experiment.code import run_code
from compare.report.pages.optimizers.experiment.comparison import Comparison
from compare.report.pages.optimizers.experiment.distances import read_defaults, run_case
from compare.report.pages.optimizers.experiment.rules import RULES
from compare.report.pages.optimizers.experiment.schedules import run_schedules
from compare.report.pages.optimizers.experiment.training import EVERY, STEPS
from compare.report.pages.optimizers.experiment.way_back import run_back, run_refusals
from compare.report.pages.optimizers.experiment.whole_tensor_rules import FURTHER_RULES
from compare.report.results import Results, exact
from frameworks.keras_in_torch.optimizers.fates import FATES

COMPARISONS: Mapping[str, Comparison] = {**RULES, **FURTHER_RULES}


def run(progress: Callable[[str], None]) -> Results:
    """Train with every optimizer: on TensorFlow with all settings, on other backends with the defaults."""
    import keras

    if keras.config.backend() != "tensorflow":
        progress("every optimizer with its defaults")
        return {"optimizers": {name: _run_default(name, one) for name, one in COMPARISONS.items() if one.cases}}
    optimizers = {}
    for name in FATES:
        if name in COMPARISONS:
            progress(name)
            optimizers[name] = _run_optimizer(name, COMPARISONS[name])
    progress("settings around the rules, schedules, the way back")
    return {
        "steps": exact(STEPS),
        "every": exact(EVERY),
        "code": run_code(),
        "optimizers": optimizers,
        "prelude": exact(PRELUDE),
        "around": {setting.name: run_setting(setting) for setting in SETTINGS},
        "schedules": run_schedules(),
        "back": run_back(),
        "refused": run_refusals(),
    }


def _run_default(name: str, comparison: Comparison) -> Results:
    return {"cases": {"default": run_case(name, comparison, comparison.cases[0])}}


def _run_optimizer(name: str, comparison: Comparison) -> Results:
    fate = FATES[name]
    return {
        "torch": exact(comparison.torch),
        "sources": exact(_sources(comparison)),
        "fate": exact("refused" if fate.rule is None else "followed" if fate.stock is None else "torch's own"),
        "stock unless": exact(list(fate.stock or ())),
        "difference": exact(comparison.difference),
        "defaults": read_defaults(name, comparison),
        "equations": check_equations(name, comparison),
        "cases": {_title(case.settings): run_case(name, comparison, case) for case in comparison.cases},
    }


def _sources(comparison: Comparison) -> list[str]:
    torch = [f"torch/optim/{comparison.torch_source}"] if comparison.torch else []
    return [f"keras/src/optimizers/{comparison.source}", *torch]


def _title(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in settings.items()) or "default"
