"""The page on mistakes: for each that `diagnose` names its symptom, how to tell it, its lines, its cost, and the diagnosis."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from compare.diagnosis.result import Diagnosis, Finding
from compare.report.page import Page, Tree, code, number, table, worst

_USE = """\
from gatewise import diagnose

print(diagnose(keras_layer, port))              # port: a module, a layer, or the function that you call in place of the layer
"""


def _own(results: Tree) -> Tree:
    """Return the results of this page's experiment."""
    tree: Tree = results["mistakes"]["tensorflow"]
    return tree


def _each(own: Tree) -> Iterator[tuple[str, Tree]]:
    for group in own["groups"].values():
        yield from group.items()


def _costs(mistake: Tree) -> str:
    """Return the range of the errors, or why the results have none."""
    least, most = mistake["least"], mistake["most"]
    if isinstance(most.value, str):
        return most.value
    return number(most) if least.value == most.value else f"{number(least)} to {number(most)}"


def _verdict(results: Tree) -> str:
    own = _own(results)
    every = [mistake for _, mistake in _each(own)]
    costs = [mistake["most"].value for mistake in every if not isinstance(mistake["most"].value, str)]
    named = sum(mistake["named"].value for mistake in every)
    return (
        f"`diagnose` names {named} of these {len(every)} mistakes from the results and weights of the port alone. Half of them make "
        f"the results wrong by more than {median(costs):.2g}. None raises an error. Without the mistake each port agrees with its "
        f"layer to {worst(mistake['right'] for mistake in every)}."
    )


def _body(results: Tree) -> str:
    own = _own(results)
    rows = [(f"[{name}](#{name})", mistake["sentence"].value, _costs(mistake)) for name, mistake in _each(own)]
    parts = [
        table(("mistake", "what it is", "error"), rows),
        "The error is the largest absolute difference from what the right layer returns, from the smallest to the largest of ten "
        "random layers and inputs. Each section shows the lines that differ between the wrong port and the right one, and what "
        "`diagnose` prints of the first of the ten. The whole code behind each link is an entry of a "
        "[public corpus of wrong ports](../compare/report/studies/wrong_ports/README.md), on which any tool that finds mistakes, and any "
        "program that writes ports, can be scored.",
        code("python", _USE),
        "The same from the command line: `gatewise diagnose model.keras port.py:build`. For two whole models, which also shows "
        "mistakes between their layers: `compare_models(model, port)`, or `gatewise compare`.",
    ]
    for title, group in own["groups"].items():
        parts.append(f"## {title}")
        for name, mistake in group.items():
            parts += _section(name, mistake)
    parts += [
        "## Beside the layer",
        "These raise no error either, and lie outside of what `diagnose` compares. All code was run exactly as shown, from ten seeds, "
        "each time after this setup:",
        code("python", own["setup"].value),
    ]
    for silent in own["silent"].values():
        parts += [f"### {silent['title'].value}", silent["why"].value, code("python", _pieces(silent))]
    return "\n\n".join(parts)


def _section(name: str, mistake: Tree) -> Iterator[str]:
    yield f"### {name}"
    yield mistake["sentence"].value
    yield f"* **Symptom.** {mistake['symptom'].value}\n* **How to tell.** {mistake['how to tell'].value}\n* **Error.** {_costs(mistake)}"
    pieces = (("wrong", mistake["wrong lines"]), ("right", mistake["right lines"]))
    yield code("python", "\n".join(f"# {head}\n{text.value}" for head, text in pieces))
    yield f"[The whole code]({mistake['source'].value}). `diagnose` prints:"
    yield code("text", str(_diagnosis(mistake["diagnosis"])))


def _diagnosis(printed: Tree) -> Diagnosis:
    """Return the diagnosis of a run, with its errors rounded as on all pages."""
    findings = []
    for each in printed["findings"].values():
        before, after = (each[name].value if name in each else None for name in ("before", "after"))
        texts = {name: each[name].value for name in ("mistake", "where", "found", "must_be", "fix")}
        findings.append(Finding(**texts, error_before=before, error_after=after, twins=tuple(each["twins"].value)))
    return Diagnosis(printed["verdict"].value, tuple(findings), tuple(printed["notes"].value))


def _pieces(silent: Tree) -> str:
    """Join the three pieces of code, each below a comment with its error."""
    headed = (
        ("wanted", silent["wanted code"]),
        (f"wrong: error {_costs(silent)}", silent["wrong code"]),
        (f"right: error {number(silent['right'])}", silent["right code"]),
    )
    return "\n".join(f"# {head}\n{text.value}" for head, text in headed)


PAGE = Page(
    name="mistakes",
    title="Mistakes",
    question="Which mistakes does a port make that raise no error, how are they told apart, and which line mends them?",
    experiments=(("tensorflow", "mistakes"),),
    verdict=_verdict,
    body=_body,
    studies=("wrong_ports",),
)
