"""The page on models that strangers trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from compare.report.page import Page, Tree, code, number, table, worst

_PART = "real-models"
_FILES = """\
make originals                                         # fetches the packages' archives and checks them; runs nothing of them
.venv/bin/python -m compare.report.studies --out originals    # writes the files in them that are ported below, a folder a model
"""


def _models(results: Tree) -> Tree:
    found: Tree = results["real_models"]["tensorflow"]
    return found


def _originals(results: Tree) -> Tree:
    """Give what was found of the original files, by model; empty where the long run has not been made."""
    found: Tree = results.get("long", {}).get(_PART, {}).get("models", {})
    return found


def _layers(results: Tree) -> Iterator[tuple[str, str, Tree]]:
    """Yield model, layer, and all that was found of it."""
    originals = _originals(results)
    for name, model in _models(results).items():
        for layer, found in model["layers"].items():
            yield name, layer, {**found, **originals.get(name, {}).get("layers", {}).get(layer, {})}


def _verdict(results: Tree) -> str:
    every = [found for _, _, found in _layers(results)]
    ported, kept = ([found[name] for found in every if name in found] for name in ("ported", "kept weights"))
    again = f"The weights of {len(kept)} of the layers are kept here, and ported in every report: at most {worst(kept)} off."
    if not ported:
        return f"The original files have not been read: that is a long run. {again}"
    return (
        f"{len(ported)} layers in the files of {len(_models(results))} published packages, read without the framework that wrote them and "
        "carried over to the other one, give what they gave where they were trained: "
        f"at most {worst(ported)} off as a share of max(1, max |expected|), of 2e-5 allowed. {again}"
    )


def _body(results: Tree) -> str:
    headers = ("model", "layer", "", "from, to", "by", "before the port", "of the port", "of a wrong port, at least")
    intro = (
        "Errors are shares of max(1, max |expected|), against values that were recorded with other code than this project's; the section "
        "of each model says which. *Before the port*: the layer of the file in the framework that it comes from, in its present version. "
        "*By* `convert`, which gives the other framework's own layer, wherever that holds the layer; by `emulate` where `convert` refuses. "
        "The wrong ports all run; each section names them."
    )
    files = f"The files come from the packages as these are published:\n\n{code('sh', _FILES)}"
    sections = [_section(name, model, _originals(results).get(name, {})) for name, model in _models(results).items()]
    return "\n\n".join([table(headers, [_row(*each) for each in _layers(results)]), intro, files, *_setup(results), *sections])


def _setup(results: Tree) -> Iterator[str]:
    made = results.get("long", {}).get(_PART)
    if made:
        yield "The three lines of each port, and the commands, are those that were run, in the folder of the file, after"
        yield code("python", made["setup"].value)


def _row(model: str, layer: str, found: Tree) -> tuple[object, ...]:
    described = (f"[{model}](#{model})", f"`{layer}`", _sizes(found), _direction(found))
    if "ported" not in found:
        return (*described, "-", "-", "-", "-")
    wrong = min(found["wrong"].values(), key=lambda value: value.value)
    return (
        *described,
        f"`{found['by'].value}`",
        number(found["in its own framework"]),
        number(found["ported"]),
        number(wrong),
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
    inner = [_constructor(**config["layer"])] if "layer" in config else []
    arguments = [f"{name}={value!r}" for name, value in config.items() if name != "layer"]
    return f"{class_name}({', '.join(inner + arguments)})"


def _section(name: str, model: Tree, original: Tree) -> str:
    facts, layers = model["facts"].value, model["layers"]
    ported = original.get("layers", {})
    rows = [
        ("package", f"[{facts['package']} {facts['version']}]({facts['homepage']}), {facts['author']}, {facts['license']}"),
        ("archive", f"`{facts['archive']}`"),
        ("file in it", f"`{facts['file']}`"),
        ("SHA-256 of the file", f"`{facts['sha256']}`"),
        ("expected values from", facts["expected_from"]),
        ("inputs", ", ".join(next(iter(layers.values()))["rows"].value)),
    ]
    refusals = dict.fromkeys(found["refused"].value for found in ported.values())
    warnings = dict.fromkeys(warning for found in ported.values() for warning in found["beware"].value)
    parts = [
        f"## {name}",
        facts["subject"],
        table(("", ""), rows),
        *_listed("What is hard about it", facts["hard"]),
        *_listed("What the reading of the file warns of", warnings),
        *(f"`convert` refuses it: {refusal}" for refusal in refusals if refusal),
        *(part for layer, found in layers.items() for part in _layer(layer, found, ported.get(layer))),
        *_commands(original.get("commands", {})),
    ]
    return "\n\n".join(parts)


def _listed(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"* {item}" for item in items]
    if lines:
        yield "\n".join([f"{title}:", "", *lines])


def _commands(found: Tree) -> Iterator[str]:
    if found:
        done = "both ended well" if all(value.value for value in found.values()) else "FAILED"
        yield f"The whole file, with the layers that are not recurrent ({done}):"
        yield code("sh", "\n".join(found))


def _layer(name: str, found: Tree, ported: Tree | None) -> Iterator[str]:
    layer = found["layer"].value
    note = f": {found['note'].value}." if found["note"].value else "."
    yield f"`{name}`, `{_constructor(layer['class_name'], layer['config'])}`{note}"
    if ported is not None:
        yield code("python", ported["code"].value)
        wrong = [(mistake, number(size)) for mistake, size in ported["wrong"].items()]
        yield table(("port", "error"), [("these lines", number(ported["ported"])), *wrong])


PAGE = Page(
    name="real-models",
    title="Real models",
    question="Do layers that strangers trained give the same in the other framework, ported from the files that they were shipped in?",
    experiments=(("tensorflow", "real_models"),),
    verdict=_verdict,
    body=_body,
    long=(_PART,),
    studies=("real_models",),
)
