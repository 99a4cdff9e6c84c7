"""The page on pitfalls: classic mistakes that raise no error, their size, and the lines that mend them."""

from __future__ import annotations

from collections.abc import Iterator

from compare.report.page import Page, Tree, code, number, table, worst


def _found(results: Tree) -> Tree:
    tree: Tree = results["pitfalls"]["tensorflow"]
    return tree


def _each(found: Tree) -> Iterator[tuple[str, str, Tree]]:
    for group, pitfalls in found["groups"].items():
        for title, pitfall in pitfalls.items():
            yield group, title, pitfall


def _verdict(results: Tree) -> str:
    every = [pitfall for _, _, pitfall in _each(_found(results))]
    wrong = sorted((pitfall["wrong"] for pitfall in every), key=lambda value: value.value)
    return (
        f"{len(every)} mistakes that raise no error cost between {number(wrong[0])} and {number(wrong[-1])} (half of them more than "
        f"{number(wrong[len(wrong) // 2 - 1])}); the lines that mend them are at most {worst(pitfall['right'] for pitfall in every)} off."
    )


def _body(results: Tree) -> str:
    found = _found(results)
    rows = [(group, title, pitfall["wrong"], pitfall["right"]) for group, title, pitfall in _each(found)]
    parts = [
        table(("", "mistake", "off by", "mended, off by"), rows),
        "*Off by* is the largest absolute difference from what the other framework, or Keras itself, gives with the same weights. No shape "
        "check and no exception tells of any of these. More on weights stands in [weights](weights.md), on results in [return "
        "values](return-values.md), on masks in [masking](masking.md).",
        "All of the code below was run as it stands, after",
        code("python", found["setup"].value),
    ]
    for group, pitfalls in found["groups"].items():
        parts.append(f"## {group}")
        for title, pitfall in pitfalls.items():
            parts += [f"### {title[0].upper()}{title[1:]}", pitfall["why"].value, code("python", _pieces(pitfall))]
    return "\n\n".join(parts)


def _pieces(pitfall: Tree) -> str:
    """Put the three pieces of code one below the other, each with what came of it."""
    headed = (
        ("wanted", pitfall["wanted code"]),
        (f"wrong: {number(pitfall['wrong'])} off", pitfall["wrong code"]),
        (f"right: {number(pitfall['right'])} off", pitfall["right code"]),
    )
    return "\n".join(f"# {head}\n{text.value}" for head, text in headed)


PAGE = Page(
    name="pitfalls",
    title="Pitfalls",
    question="Which mistakes in a port raise no error, what do they look like, and what do they cost?",
    experiments=(("tensorflow", "pitfalls"),),
    verdict=_verdict,
    body=_body,
)
