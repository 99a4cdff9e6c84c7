"""The page on models that strangers trained."""

from __future__ import annotations

from compare.pages.page import Page, Tree, code, number, table, worst

_IMPORTS = """\
import torch
from compare.studies.real_models.models import load
from frameworks import build, convert
"""


def _models(results: Tree) -> Tree:
    found: Tree = results["real_models"]["tensorflow"]
    return found


def _verdict(results: Tree) -> str:
    models = _models(results)
    largest = worst(model["ported"] for model in models.values())
    return (
        f"{len(models)} trained layers, carried over to the other framework, give what they gave where they were trained: "
        f"at most {largest} off as a share of max(1, max |expected|), of 2e-5 allowed."
    )


def _body(results: Tree) -> str:
    models = _models(results)
    rows = [
        (
            f"[{name}](#{name})",
            _layer(model),
            f"{model['facts'].value['origin']} to {'pytorch' if model['facts'].value['origin'] == 'keras' else 'keras'}",
            number(model["in the layout's own framework"]),
            number(model["ported"]),
            number(model["recurrent kernel not transposed"]),
        )
        for name, model in models.items()
    ]
    headers = ("model", "layer", "weights stored as, to", "error before the port", "error of the port", "of a wrong port")
    intro = (
        "Errors are shares of max(1, max |expected|), against values that were recorded with other code than this project's; the section "
        "of each model says which. *Before the port*: the same weights in the framework whose layout they are stored in. The wrong port "
        "leaves the recurrent kernel untransposed: its blocks are square, so no shape check notices."
    )
    imports = f"Each port below is the code that was run, after\n\n{code('python', _IMPORTS)}"
    return "\n\n".join([table(headers, rows), intro, imports, *(_section(name, model) for name, model in models.items())])


def _layer(model: Tree) -> str:
    spec = model["spec"].value
    sizes = f"{spec['input_size']} to {spec['hidden_size']}"
    depth = f" x{spec['num_layers']}" if spec["num_layers"] > 1 else ""
    return f"{'bidirectional ' * spec['bidirectional']}{spec['cell'].upper()}{depth}, {sizes}"


def _section(name: str, model: Tree) -> str:
    facts = model["facts"].value
    rows = [
        ("package", f"[{facts['package']} {facts['version']}]({facts['homepage']}), {facts['author']}, {facts['license']}"),
        ("file", f"`{facts['file']}`"),
        ("SHA-256 of the file", f"`{facts['sha256']}`"),
        ("expected values from", facts["expected_from"]),
        ("inputs", ", ".join(model["rows"].value)),
    ]
    parts = (
        f"## {name}",
        facts["subject"],
        table(("", ""), rows),
        code("python", model["code"].value),
    )
    return "\n\n".join(parts)


PAGE = Page(
    name="real-models",
    title="Real models",
    question="Do layers that strangers trained give the same in the other framework?",
    experiments=(("tensorflow", "real_models"),),
    verdict=_verdict,
    body=_body,
)
