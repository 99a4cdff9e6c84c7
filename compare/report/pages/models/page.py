"""The page on whole models: their source in the other framework, and what proves it."""

from __future__ import annotations

from collections.abc import Iterator

from compare.report.page import Page, Tree, code, number, table, worst


def _own(results: Tree) -> Tree:
    """Return the results of this page's experiment."""
    tree: Tree = results["models"]["tensorflow"]
    return tree


def _verdict(results: Tree) -> str:
    models, modules = (list(_own(results)[name].values()) for name in ("models", "modules"))
    layers = [layer for model in models for layer in model["layers"].values()]
    alone = sum(layer["how"].value == "alone" and layer["verdict"].value == "agrees" for layer in layers)
    failed = sum(model["found"].value[0] == "wrong" for model in models)
    named = sum(_is_named(model["exchanged"].value, model["found"].value[1]) for model in models)
    errors = [call["error"] for model in models for call in model["calls"].values()]
    return (
        f"`gatewise port model.h5 model.py` writes a whole Keras model as readable PyTorch source, with its weights beside it, and "
        f"proves it: {len(models)} models are shown here, and their results agree to {worst(errors)} on inputs with padding and with "
        f"holes. {alone} of {len(layers)} layers were also compared one by one; the others follow from the whole. With two gates "
        f"exchanged, {failed} of {len(models)} proofs failed, and {named} named the layer. The other way, {len(modules)} torch modules "
        f"become Keras models that agree to {worst(call['error'] for each in modules for call in each['calls'].values())}; "
        f"with two gates exchanged, {sum(each['found'].value[0] == 'wrong' for each in modules)} of {len(modules)} proofs failed."
    )


def _is_named(array: str, place: str) -> bool:
    """Return whether the place of a fault is the module that has the array."""
    return place.startswith((f"in {array.rpartition('.')[0]},", f"in {array.rpartition('.')[0]} "))


def _body(results: Tree) -> str:
    own = _own(results)
    rows = [
        (
            f"[{model['title'].value}](#{_anchor(model['title'].value)})",
            model["verdict"].value,
            worst(call["error"] for call in model["calls"].values()),
            model["error of the exchange"],
        )
        for model in (*own["models"].values(), *own["modules"].values())
    ]
    parts = [
        table(("model", "verdict", "error", "error with two gates exchanged"), rows),
        *_old_file(own["old file"]),
        *(part for name, model in own["models"].items() for part in _section(name, model)),
        *(part for name, module in own["modules"].items() for part in _module(name, module)),
    ]
    return "\n\n".join(parts)


def _old_file(old: Tree) -> Iterator[str]:
    yield "## An old Keras file"
    yield "Keras 3 does not open most recurrent models that Keras 2 saved. It says:"
    yield code("text", old["message"].value)
    yield "This command writes the same model as a file that Keras 3 opens by itself, with its masks, states and weights:"
    yield code("sh", "gatewise port old.h5 new.keras")
    yield f"Run on a file of this model, as Keras 2 writes it; the results agree to {worst([old['error']])}."
    yield code("python", old["model"].value)


def _section(name: str, model: Tree) -> Iterator[str]:
    yield f"## {model['title'].value}"
    yield model["note"].value
    yield code("python", model["keras"].value)
    yield "Keras's summary:"
    yield code("text", model["summary"].value)
    yield f"`gatewise port {name}.keras {name}.py` writes this source; `build` and `load`, which read the weights, are left out here."
    yield code("python", model["source"].value)
    yield from _proof(model, "in torch")


def _module(name: str, module: Tree) -> Iterator[str]:
    yield f"## {module['title'].value}"
    yield module["note"].value
    yield code("python", module["torch"].value)
    yield (
        f"`gatewise port net.py:module {name}.py --inputs example.npz` writes this source; `build` and `load`, which read the weights, "
        "are left out here."
    )
    yield code("python", module["source"].value)
    yield from _proof(module, "in Keras")


def _proof(model: Tree, here: str) -> Iterator[str]:
    yield f"The proof: {model['verdict'].value}."
    yield table(("inputs", "error"), [(call["inputs"].value, number(call["error"])) for call in model["calls"].values()])
    yield table(
        ("layer", "is", here, "compared"),
        [(layer, each["kind"].value, each["here"].value or "-", each["how"].value) for layer, each in model["layers"].items()],
    )
    yield f"With the first two gates of `{model['exchanged'].value}` exchanged, the proof says:"
    verdict, place, *rest = model["found"].value
    yield code("text", "\n".join([f"{verdict}: {place}", *rest]))


def _anchor(title: str) -> str:
    """Return the anchor that a code host derives from a heading."""
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


PAGE = Page(
    name="models",
    title="Whole models",
    question="What does a whole model look like in the other framework, and what proves that it is the same?",
    experiments=(("tensorflow", "models"),),
    verdict=_verdict,
    body=_body,
)
