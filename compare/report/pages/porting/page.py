"""The page on porting: recipes to copy, each executed, with the near-miss that is wrong."""

from __future__ import annotations

from compare.report.page import Page, Tree, code, number, table, worst


def _own(results: Tree) -> Tree:
    """Return the results of this page's experiment."""
    tree: Tree = results["porting"]["tensorflow"]
    return tree


def _verdict(results: Tree) -> str:
    recipes = _own(results)["recipes"].values()
    mistakes = [recipe["error of the mistake"] for recipe in recipes]
    return (
        f"{len(mistakes)} recipes were run in both frameworks; the results agree to {worst(recipe['error'] for recipe in recipes)}. The near-miss "
        f"next to each is off by {number(min(mistakes, key=lambda value: value.value))} to {worst(mistakes)}."
    )


def _body(results: Tree) -> str:
    own = _own(results)
    rows = [
        (_link(recipe["title"].value), recipe["error"], recipe["mistake"].value, recipe["error of the mistake"])
        for recipe in own["recipes"].values()
    ]
    parts = [
        table(("recipe", "error", "near-miss", "its error"), rows),
        "All code below was run exactly as shown, after this setup:",
        code("python", own["setup"].value),
    ]
    for recipe in own["recipes"].values():
        parts += [
            f"## {recipe['title'].value}",
            recipe["note"].value,
            "In Keras:",
            code("python", recipe["keras"].value),
            f"In PyTorch (error {number(recipe['error'])}):",
            code("python", recipe["pytorch"].value),
            f"The near-miss (error {number(recipe['error of the mistake'])}): {recipe['mistake'].value}.",
            code("python", recipe["mistake code"].value),
        ]
    return "\n\n".join(parts)


def _link(title: str) -> str:
    """Link to a section by the anchor that a code host derives from its heading."""
    anchor = "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")
    return f"[{title}](#{anchor})"


PAGE = Page(
    name="porting",
    title="Porting",
    question="How do I port common patterns (encoder states, masked classifiers, streams), and which near-miss is wrong?",
    experiments=(("tensorflow", "porting"),),
    verdict=_verdict,
    body=_body,
)
