"""The page on optimizers: both rules of each as equations, the closest settings, and the differences after training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from compare.report.page import Figure, Page, Tree, code, number, table, worst
from compare.report.pages.optimizers.figure import draw_optimizers

_FILE = "optimizers.png"
_DRAWN = ("Adam", "RMSprop", "Adamax", "Nadam", "Adagrad", "Adafactor")
_FATES = {
    "torch's own": "torch's class{unless}",
    "followed": "a class that follows Keras's rule",
    "refused": "[refused](#refused)",
}


def _own(results: Tree) -> Tree:
    """Return the results of this page's experiment."""
    tree: Tree = results["optimizers"]["tensorflow"]
    return tree


def _defaults(results: Tree, backend: str = "tensorflow") -> dict[str, Tree]:
    """Return the results of each optimizer with its defaults."""
    trees = results["optimizers"][backend]["optimizers"]
    return {name: one["cases"]["default"] for name, one in trees.items() if one["cases"]}


def _verdict(results: Tree) -> str:
    own, defaults = _own(results), _defaults(results)
    ours = [value for tree in _cases(results) for place, value in tree.items() if place in ("ours", "resumed")]
    stock = [one["stock"] for one in defaults.values() if "stock" in one]
    matching = [name for name, one in defaults.items() if "matching" in one and one["matching"].kind == "measured"]
    never = [one["matching"] for one in defaults.values() if "matching" in one and one["matching"].kind == "control"]
    return (
        f"`optimizer_like` follows {len(defaults)} of the {len(own['optimizers']) + len(own['refused']) - 1} optimizers that Keras exports, and "
        f"refuses the others by name. After {own['steps'].value} steps in float64 the largest difference is {worst(ours)}. torch's class of the "
        f"same name, with its defaults, ends {number(min(stock, key=lambda value: value.value))} to {worst(stock)} away. With the right settings "
        f"torch's {', '.join(matching[:-1])} and {matching[-1]} equal Keras's. For the others no setting makes the two equal; they stay up to "
        f"{worst(never)} apart."
    )


def _body(results: Tree) -> str:
    own = _own(results)
    parts = [
        _overview(results),
        f"![Distance from Keras's parameters over the steps, by optimizer]({_FILE})",
        *_explain(own),
        "## The code",
        *_code(own["code"]),
        *(part for name, one in own["optimizers"].items() for part in _optimizer(name, one)),
        "## Around the rules",
        *_around(own),
        "## Schedules",
        *_schedules(own["schedules"]),
        "## The way back",
        *_back(own["back"]),
        "## Refused",
        table(("optimizer", "message"), [(f"`{name}`", message.value) for name, message in own["refused"].items()]),
    ]
    return "\n\n".join(parts)


def _overview(results: Tree) -> str:
    own, on_torch = _own(results), _defaults(results, "torch")
    rows: list[Sequence[object]] = []
    for name, one in own["optimizers"].items():
        default = one["cases"].get("default", {})
        other = on_torch.get(name, {})
        rows.append(
            (
                f"[{name}](#{name.lower()})",
                _fate(one),
                f"`{one['torch'].value}`" if one["torch"].value else "none",
                *(default.get(way, "") for way in ("stock", "matching", "ours", "resumed")),
                *(other.get(way, "") for way in ("matching", "ours")),
            )
        )
    rows += [(f"`{name}`", _FATES["refused"], "none", *[""] * 6) for name in own["refused"] if name not in own["optimizers"]]
    headers = (
        "Keras",
        "`optimizer_like` makes",
        "in torch",
        "torch's defaults",
        "closest settings",
        "`optimizer_like`",
        "resumed half-way",
    )
    return table((*headers, "closest settings, torch backend", "`optimizer_like`, torch backend"), rows)


def _fate(one: Tree) -> str:
    unless = [f"`{name}`" for name in one["stock unless"].value]
    return _FATES[one["fate"].value].format(unless=f", unless {', '.join(unless)} is set" if unless else "")


def _cases(results: Tree) -> Iterator[Tree]:
    for one in _own(results)["optimizers"].values():
        yield from one["cases"].values()


def _explain(own: Tree) -> Iterator[str]:
    yield (
        f"Each optimizer gets the same {own['steps'].value} gradients in both frameworks, in float64, for a matrix and a vector. Their mean is not zero, "
        "which keeps the parameters moving. The columns show the largest difference of a parameter from Keras's at the end. *torch's defaults*: "
        "torch's class with its defaults, so usually with another learning rate. *closest settings*: torch's class with the settings in the section "
        "of the optimizer, as Keras's backend stores them. *resumed half-way*: half of the steps in Keras; then `optimizer_like` restores the slots and the "
        "step count for the other half."
    )
    yield (
        "Keras stores the learning rate in float32, even in float64 training. On TensorFlow it also rounds the betas, momentum and weight decay to "
        "float32 wherever a rule casts them; on torch it rounds the factor by which weight decay shrinks a parameter. `optimizer_like` does the same. torch's classes "
        "do not, which is why *closest settings* differs between the backends. In float32 training none of this can be seen."
    )
    yield (
        "In the equations $\\theta$ is the parameter, $g$ the gradient and $t$ the number of the step, from 1. An arrow updates a value that is kept "
        "until the next step; it starts at zero unless stated otherwise. The equations were run in NumPy as printed. The error beside each "
        "is the difference of the framework's optimizer from the equation after a few steps, with numbers large enough to show every term."
    )
    yield (
        "One difference is not in the rules: on TensorFlow, Keras's `fit` does not sum the gradient of an embedding before the optimizer squares it "
        "([training](training.md#an-embedding-on-tensorflow))."
    )


def _code(snippets: Tree) -> Iterator[str]:
    yield "The first half of a training, in Keras:"
    yield code("python", snippets["keras"].value)
    yield f"The second half, in PyTorch (error {number(snippets['ours off'])}):"
    yield code("python", snippets["torch"].value)
    yield f"Typical code without `optimizer_like` (error {number(snippets['stock off'])}):"
    yield code("python", snippets["stock"].value)


def _optimizer(name: str, one: Tree) -> Iterator[str]:
    yield f"## {name}"
    yield one["difference"].value
    sources = dict(zip(("keras", "torch"), one["sources"].value, strict=False))
    for equation in one["equations"].values():
        suffix = f", {equation['where'].value}" if equation["where"].value else ""
        for side, framework in (("keras", "Keras"), ("torch", "torch")):
            if side in equation:
                yield f"{framework}{suffix} (`{sources[side]}`, error {number(equation[f'{side} off'])}):"
                yield code("math", equation[side].value)
        if equation["remarks"].value:
            yield f"{'; '.join(equation['remarks'].value)}."
    yield _numbers(one["defaults"])
    if one["cases"]:
        yield _tried(one["cases"])


def _numbers(defaults: Tree) -> str:
    """Put the settings of both frameworks side by side, by their symbols."""
    sides = [{symbol: f"`{name}={default}`" for symbol, name, default in side.value} for side in defaults.values()]
    symbols = dict.fromkeys(symbol for side in sides for symbol in side)
    headers = ("symbol", "Keras", "torch")[: 1 + len(sides)]
    return table(headers, [(f"${symbol}$", *(side.get(symbol, "") for side in sides)) for symbol in symbols])


def _tried(cases: Tree) -> str:
    stock = any("stock" in case for case in cases.values())
    rows = []
    for settings, case in cases.items():
        matching = case["matching settings"].value if stock else ""
        errors = [case.get(way, "") for way in ("stock", "matching", "ours", "resumed")]
        shown = settings if settings == "default" else f"`{settings}`"
        rows.append((shown, errors[0], f"`{matching}`", *errors[1:]) if stock else (shown, *errors[2:]))
    between = ("torch, otherwise with its defaults", "closest settings, in Keras's names", "with these") if stock else ()
    return table(("setting in Keras", *between, "`optimizer_like`", "resumed half-way"), rows)


def _around(own: Tree) -> Iterator[str]:
    yield (
        "These settings belong to every Keras optimizer, whatever its rule. They were tried on SGD, whose rule both frameworks share, so any error "
        "comes from the setting. `parameters` and `loss` are yours, and:"
    )
    yield code("python", own["prelude"].value)
    rows = [(f"`{name}`", one["wrong"], one["right"], one["ours"]) for name, one in own["around"].items()]
    yield table(("setting", "as often written", "correct", "`optimizer_like`"), rows)
    for name, one in own["around"].items():
        yield f"### `{name}`"
        yield f"{one['says'].value} For `{one['keras'].value}`, as often written (error {number(one['wrong'])}):"
        yield code("python", one["wrong code"].value)
        yield f"Correct (error {number(one['right'])}):"
        yield code("python", one["right code"].value)


def _schedules(schedules: Tree) -> Iterator[str]:
    rows = [
        (f"`{one['keras'].value}`", f"`{one['torch'].value}`", one["says"].value, one["stock"], one["ours"])
        for one in schedules.values()
    ]
    yield table(("Keras", "closest in torch", "remaining difference", "error", "error of `schedule_like`"), rows)
    yield (
        "Errors are relative to the largest rate. Keras computes in float32. If the Keras optimizer has a schedule, `optimizer_like` follows it. "
        "`schedule_like(schedule, optimizer)` returns a schedule as a torch scheduler, which you call after each step, not after each epoch."
    )


def _back(back: Tree) -> Iterator[str]:
    yield (
        "`optimizer_like` of a torch optimizer is a Keras optimizer with torch's rule. Here it restores the slots and the step count after half of the steps "
        "in torch, and makes the other half in Keras. The error is the difference from making all steps in torch:"
    )
    yield table(
        ("torch", "in Keras", "error"),
        [(f"`{text}`", f"`{one['class'].value}`", one["resumed"]) for text, one in back.items()],
    )


def _draw(results: Tree, path: Path) -> None:
    defaults = _defaults(results)
    panels = {name: defaults[name]["curves"].value for name in _DRAWN}
    draw_optimizers(panels, _own(results)["every"].value, path)


PAGE = Page(
    name="optimizers",
    title="Optimizers",
    question="How does each Keras optimizer update parameters, how does torch's, and what makes them the same?",
    experiments=(("tensorflow", "optimizers"), ("torch", "optimizers")),
    verdict=_verdict,
    body=_body,
    figures=(Figure(_FILE, _draw),),
)
