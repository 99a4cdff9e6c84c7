"""The page on published models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from compare.report.page import Page, Tree, code, number, table, worst

_PART = "real-models"
_FILES = """\
make originals                                         # fetch and check the packages' archives; nothing in them is run
.venv/bin/python -m compare.report.studies --out originals    # write the files that are ported below, one folder per model
"""
_MISTAKES = {
    "recurrent-kernel-not-transposed": "recurrent kernel not transposed",
    "onnx-gate-order": "gates left in ONNX's order",
    "cudnn-layout": "kernels left in CuDNN's layout",
    "taken-for-torch-nn": "treated as a layer of torch.nn",
    "reset-after": "`reset_after=False` read as `True`",
    "keras3-hard-sigmoid": "Keras 2's `hard_sigmoid` read as Keras 3's",
    "mask-left-out": "mask left out",
    "states-not-passed-on": "states not passed on",
}


def _models(results: Tree) -> Tree:
    models: Tree = results["real_models"]["tensorflow"]
    return models


def _originals(results: Tree) -> Tree:
    """Return the results of the original files, by model; empty if the long run has not been made."""
    models: Tree = results.get("long", {}).get(_PART, {}).get("models", {})
    return models


def _layers(results: Tree) -> Iterator[tuple[str, str, Tree]]:
    """Yield each model, layer, and all results of that layer."""
    originals = _originals(results)
    for name, model in _models(results).items():
        for layer, result in model["layers"].items():
            yield name, layer, {**result, **originals.get(name, {}).get("layers", {}).get(layer, {})}


def _verdict(results: Tree) -> str:
    every = [result for _, _, result in _layers(results)]
    ported, kept = ([result[name] for result in every if name in result] for name in ("ported", "kept weights"))
    again = f"{len(kept)} of the layers have their weights in this repository and are ported in every report; their largest error is {worst(kept)}."
    if not ported:
        return f"The original files have not been read, which takes a long run. {again}"
    return (
        f"We read {len(ported)} layers from the files of {len(_models(results))} published packages, without the framework that wrote them, "
        "and ported them to the other framework. They compute the same there. The largest error is "
        f"{worst(ported)}, as a share of max(1, max |expected|), and 2e-5 is allowed. {again}"
    )


def _body(results: Tree) -> str:
    headers = (
        "model",
        "layer",
        "",
        "from, to",
        "by",
        "error before the port",
        "error of the port",
        "smallest error of a wrong port",
    )
    intro = (
        "Errors are shares of max(1, max |expected|). The expected values were recorded with other code than this project's; the section of "
        "each model names it. *Before the port*: the layer from the file in the current version of its framework. *By*: `convert`, "
        "which makes a layer of the other framework, if that framework has an equivalent; `emulate` if `convert` refuses. The wrong ports "
        "all run without an exception; each section names them."
    )
    files = f"To get the files from the published packages:\n\n{code('sh', _FILES)}"
    sections = [_section(name, model, _originals(results).get(name, {})) for name, model in _models(results).items()]
    return "\n\n".join([table(headers, [_row(*each) for each in _layers(results)]), intro, files, *_setup(results), *sections])


def _setup(results: Tree) -> Iterator[str]:
    made = results.get("long", {}).get(_PART)
    if made:
        yield "The three lines of each port, and the commands, were run exactly as shown in the folder of the file, after this line:"
        yield code("python", made["setup"].value)


def _row(model: str, layer: str, result: Tree) -> tuple[object, ...]:
    described = (f"[{model}](#{model})", f"`{layer}`", _sizes(result), _direction(result))
    if "ported" not in result:
        return (*described, "-", "-", "-", "-")
    wrong = min(result["wrong"].values(), key=lambda value: value.value)
    return (
        *described,
        f"`{result['by'].value}`",
        number(result["in its own framework"]),
        number(result["ported"]),
        number(wrong),
    )


def _sizes(result: Tree) -> str:
    spec = result["spec"].value
    depth = f" x{spec['num_layers']}" if spec["num_layers"] > 1 else ""
    directions = "bidirectional " if spec["bidirectional"] else ""
    return f"{directions}{spec['cell'].upper()}{depth}, {spec['input_size']} to {spec['hidden_size']}"


def _direction(result: Tree) -> str:
    origin = result["layer"].value["origin"]
    return f"{origin} to {'pytorch' if origin == 'keras' else 'keras'}"


def _constructor(class_name: str, config: dict[str, Any]) -> str:
    """Write the call of the constructor in the layer's framework."""
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
    refusals = dict.fromkeys(result["refused"].value for result in ported.values())
    warnings = dict.fromkeys(warning for result in ported.values() for warning in result["warnings"].value)
    parts = [
        f"## {name}",
        facts["subject"],
        table(("", ""), rows),
        *_listed("Difficulties", facts["hard"]),
        *_listed("Warnings while reading the file", warnings),
        *(f"`convert` refuses it: {refusal}" for refusal in refusals if refusal),
        *(part for layer, result in layers.items() for part in _layer(layer, result, ported.get(layer))),
        *_commands(original.get("commands", {})),
    ]
    return "\n\n".join(parts)


def _listed(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"* {item}" for item in items]
    if lines:
        yield "\n".join([f"{title}:", "", *lines])


def _commands(commands: Tree) -> Iterator[str]:
    if commands:
        done = "both commands exit with 0" if all(value.value for value in commands.values()) else "FAILED"
        yield f"To port the whole file, including layers that are not recurrent ({done}):"
        yield code("sh", "\n".join(commands))


def _layer(name: str, result: Tree, ported: Tree | None) -> Iterator[str]:
    layer = result["layer"].value
    note = f": {result['note'].value}." if result["note"].value else "."
    yield f"`{name}`, `{_constructor(layer['class_name'], layer['config'])}`{note}"
    if ported is not None:
        yield code("python", ported["code"].value)
        wrong = [(_MISTAKES[mistake], number(size)) for mistake, size in ported["wrong"].items()]
        yield table(("port", "error"), [("these lines", number(ported["ported"])), *wrong])


PAGE = Page(
    name="real-models",
    title="Real models",
    question="Do published models, ported from the files in their packages, compute the same in the other framework?",
    experiments=(("tensorflow", "real_models"),),
    verdict=_verdict,
    body=_body,
    long=(_PART,),
    studies=("real_models",),
)
