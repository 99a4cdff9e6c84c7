"""The page on porting: recipes to copy, each executed, beside the mistake that lies next to it."""

from __future__ import annotations

from compare.report.page import Page, Tree, code, number, table, worst


def _found(results: Tree) -> Tree:
    tree: Tree = results["porting"]["tensorflow"]
    return tree


def _verdict(results: Tree) -> str:
    recipes = _found(results)["recipes"].values()
    mistakes = [recipe["error of the mistake"] for recipe in recipes]
    return (
        f"{len(mistakes)} recipes, each run in both frameworks, at most {worst(recipe['error'] for recipe in recipes)} apart; the mistake "
        f"next to each costs {number(min(mistakes, key=lambda value: value.value))} to {worst(mistakes)}."
    )


def _body(results: Tree) -> str:
    found = _found(results)
    rows = [
        (f"[{title}](#{_anchor(title)})", recipe["error"], recipe["mistake"].value, recipe["error of the mistake"])
        for title, recipe in found["recipes"].items()
    ]
    parts = [
        table(("recipe", "off by", "mistake", "its error"), rows),
        "All of the code below was run as it stands, after",
        code("python", found["setup"].value),
    ]
    for title, recipe in found["recipes"].items():
        parts += [
            f"## {title}",
            recipe["note"].value,
            "In Keras:",
            code("python", recipe["keras"].value),
            f"In PyTorch, {number(recipe['error'])} off:",
            code("python", recipe["pytorch"].value),
            f"The mistake, {number(recipe['error of the mistake'])} off: {recipe['mistake'].value}.",
            code("python", recipe["mistake code"].value),
        ]
    return "\n\n".join(parts)


def _anchor(title: str) -> str:
    """Give the anchor that a code host makes of a heading."""
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


PAGE = Page(
    name="porting",
    title="Porting",
    question="How is a whole piece of a recurrent model carried over, and what goes wrong next to it?",
    experiments=(("tensorflow", "porting"),),
    verdict=_verdict,
    body=_body,
)
