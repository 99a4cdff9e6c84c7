"""Recipes to copy, each run in both frameworks, with the near-miss that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compare.groundwork.tolerance import TOLERANCES
from compare.report.arrays import distance, flat
from compare.report.pages.porting.experiment.recipe import SETUP, Recipe
from compare.report.pages.porting.experiment.recipes import RECIPES
from compare.report.results import Results, control, exact, measured
from compare.report.snippets import run_snippet


def run(progress: Callable[[str], None]) -> Results:
    """Run every recipe."""
    _, names = run_snippet(SETUP)
    recipes = {}
    for recipe in RECIPES:
        progress(recipe.title)
        recipes[recipe.name] = run_recipe(recipe, names)
    return {"setup": exact(SETUP), "recipes": recipes}


def run_recipe(recipe: Recipe, names: dict[str, Any]) -> Results:
    """Run a recipe in Keras, in torch, and with its mistake.

    Args:
        recipe: the recipe with its code.
        names: the names defined by the page's setup; the recipe adds none to them.
    """
    _, own = run_snippet(recipe.keras, dict(names))
    sizes = {}
    for which, code in (("right", recipe.pytorch), ("wrong", recipe.wrong)):
        _, own = run_snippet(code, own)
        sizes[which] = distance(flat(own["expected"]), flat(own["found"]))
    return {
        "title": exact(recipe.title),
        "note": exact(recipe.note),
        "keras": exact(recipe.keras),
        "pytorch": exact(recipe.pytorch),
        "mistake": exact(recipe.mistake),
        "mistake code": exact(recipe.wrong),
        "error": measured(sizes["right"], TOLERANCES["float32"]),
        "error of the mistake": control(sizes["wrong"]),
    }
