"""The page on pitfalls: classic mistakes that raise no error, their size, and their fixes."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from compare.report.page import Page, Tree, code, number, table, worst


def _own(results: Tree) -> Tree:
    """Return the results of this page's experiment."""
    tree: Tree = results["pitfalls"]["tensorflow"]
    return tree


def _each(own: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield the title of the group and the pitfall."""
    for group in own["groups"].values():
        for pitfall in group["pitfalls"].values():
            yield group["title"].value, pitfall


def _verdict(results: Tree) -> str:
    every = [pitfall for _, pitfall in _each(_own(results))]
    wrong = sorted((pitfall["wrong"] for pitfall in every), key=lambda value: value.value)
    return (
        f"None of these {len(every)} mistakes raises an error. The results are off by {number(wrong[0])} to {number(wrong[-1])}, with a "
        f"median of {median(value.value for value in wrong):.2g}. With the fix the results agree to "
        f"{worst(pitfall['right'] for pitfall in every)}."
    )


def _body(results: Tree) -> str:
    own = _own(results)
    rows = [(group, pitfall["title"].value, pitfall["wrong"], pitfall["right"]) for group, pitfall in _each(own)]
    parts = [
        table(("topic", "mistake", "error", "error with the fix"), rows),
        "An error is the largest absolute difference from what the other framework, or Keras itself, returns with the same weights. None of "
        "these mistakes raises an exception or a shape mismatch. See also [weights](weights.md), [return values](return-values.md) and "
        "[masking](masking.md).",
        "All code below was run exactly as shown, after this setup:",
        code("python", own["setup"].value),
    ]
    for group in own["groups"].values():
        parts.append(f"## {group['title'].value}")
        for pitfall in group["pitfalls"].values():
            parts += [f"### {pitfall['title'].value}", pitfall["why"].value, code("python", _pieces(pitfall))]
    return "\n\n".join(parts)


def _pieces(pitfall: Tree) -> str:
    """Join the three pieces of code, each below a comment with its error."""
    headed = (
        ("wanted", pitfall["wanted code"]),
        (f"wrong: error {number(pitfall['wrong'])}", pitfall["wrong code"]),
        (f"right: error {number(pitfall['right'])}", pitfall["right code"]),
    )
    return "\n".join(f"# {head}\n{text.value}" for head, text in headed)


PAGE = Page(
    name="pitfalls",
    title="Pitfalls",
    question="Which mistakes in a port raise no error, what do they look like, and how large are their errors?",
    experiments=(("tensorflow", "pitfalls"),),
    verdict=_verdict,
    body=_body,
)
