"""The page on optimizers: both rules of each as equations, the settings that match, and how far apart they train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from compare.report.page import Figure, Page, Tree, code, number, table, worst
from compare.report.pages.optimizers.figure import draw_optimizers

_FILE = "optimizers.png"
_DRAWN = ("Adam", "RMSprop", "Adamax", "Nadam", "Adagrad", "Adafactor")
_FATES = {
    "torch's own": "torch's own class{unless}",
    "followed": "a class that follows Keras's rule",
    "refused": "[refused](#refused)",
}


def _found(results: Tree) -> Tree:
    tree: Tree = results["optimizers"]["tensorflow"]
    return tree


def _defaults(results: Tree, backend: str = "tensorflow") -> dict[str, Tree]:
    """Return of each optimizer what was found with its settings by default."""
    trees = results["optimizers"][backend]["optimizers"]
    return {name: one["cases"]["default"] for name, one in trees.items() if one["cases"]}


def _verdict(results: Tree) -> str:
    found, defaults = _found(results), _defaults(results)
    ours = [value for tree in _cases(results) for place, value in tree.items() if place in ("ours", "going on")]
    stock = [one["stock"] for one in defaults.values() if "stock" in one]
    matching = [name for name, one in defaults.items() if "matching" in one and one["matching"].kind == "measured"]
    never = [one["matching"] for one in defaults.values() if "matching" in one and one["matching"].kind == "control"]
    return (
        f"Of the {len(found['optimizers']) + len(found['refused']) - 1} optimizers that Keras exports, `optimizer_like` follows {len(defaults)}, "
        f"at most {worst(ours)} apart after {found['steps'].value} steps in float64; the others are refused by name. torch's class of the same name, as it is by "
        f"default, ends {number(min(stock, key=lambda value: value.value))} to {worst(stock)} apart. With the right numbers "
        f"{', '.join(matching[:-1])} and {matching[-1]} of torch are Keras's too; no number makes the rest so, which stay up to {worst(never)} apart."
    )


def _body(results: Tree) -> str:
    found = _found(results)
    parts = [
        _overview(results),
        f"![Distance from Keras's parameters over the steps, by optimizer]({_FILE})",
        *_explain(found),
        "## The code",
        *_code(found["code"]),
        *(part for name, one in found["optimizers"].items() for part in _optimizer(name, one)),
        "## Around the rules",
        *_around(found),
        "## Schedules",
        *_schedules(found["schedules"]),
        "## The way back",
        *_back(found["back"]),
        "## Refused",
        table(("optimizer", "what is said"), [(f"`{name}`", said.value) for name, said in found["refused"].items()]),
    ]
    return "\n\n".join(parts)


def _overview(results: Tree) -> str:
    found, on_torch = _found(results), _defaults(results, "torch")
    rows: list[Sequence[object]] = []
    for name, one in found["optimizers"].items():
        default = one["cases"].get("default", {})
        other = on_torch.get(name, {})
        rows.append(
            (
                f"[{name}](#{name.lower()})",
                _fate(one),
                f"`{one['torch'].value}`" if one["torch"].value else "none",
                *(default.get(way, "") for way in ("stock", "matching", "ours", "going on")),
                *(other.get(way, "") for way in ("matching", "ours")),
            )
        )
    rows += [
        (f"`{name}`", _FATES["refused"], "none", *[""] * 6) for name in found["refused"] if name not in found["optimizers"]
    ]
    headers = ("Keras", "`optimizer_like` gives", "in torch", "by default", "numbers that match", "`optimizer_like`", "goes on")
    return table((*headers, "numbers that match, torch backend", "`optimizer_like`, torch backend"), rows)


def _fate(one: Tree) -> str:
    unless = [f"`{name}`" for name in one["stock unless"].value]
    return _FATES[one["fate"].value].format(unless=f", unless {', '.join(unless)} is set" if unless else "")


def _cases(results: Tree) -> Iterator[Tree]:
    for one in _found(results)["optimizers"].values():
        yield from one["cases"].values()


def _explain(found: Tree) -> Iterator[str]:
    yield (
        f"Each optimizer is fed the same {found['steps'].value} gradients in both frameworks, in float64, for a matrix and a vector, with a mean that keeps "
        "them in motion. The columns are the largest difference of a parameter from Keras's at the end. *by default*: torch's class with nothing set. "
        "*numbers that match*: with the numbers in the section of the optimizer, as Keras's backend holds them. *goes on*: half of the steps in "
        "Keras, then `optimizer_like` carries slots and step count over for the other half."
    )
    yield (
        "Keras holds the learning rate in float32. On TensorFlow it also rounds to float32 the betas, momentum and weight decay that a rule casts, on "
        "torch the share that weight decay leaves, in float64 training too. `optimizer_like` does the same; torch's classes do not, which is "
        "why *numbers that match* differs between the backends. In float32 training nothing of that is seen."
    )
    yield (
        "In the equations $\\theta$ is the parameter, $g$ the gradient and $t$ the number of the step, from 1. An arrow changes what is kept until "
        "the next step, which begins at zero where nothing else is said. They were run in NumPy as they stand here; *off* is how far the "
        "framework's own optimizer is from that after a few steps, with numbers large enough for the place of each to show."
    )
    yield (
        "One thing no rule says: on TensorFlow, Keras's `fit` does not add up the gradient of an embedding before the optimizer squares it "
        "([training](training.md#an-embedding-on-tensorflow))."
    )


def _code(found: Tree) -> Iterator[str]:
    yield "In Keras, half of a training:"
    yield code("python", found["keras"].value)
    yield f"In PyTorch, the other half, {number(found['ours off'])} off Keras's own:"
    yield code("python", found["torch"].value)
    yield f"What one would write without it, {number(found['stock off'])} off:"
    yield code("python", found["stock"].value)


def _optimizer(name: str, one: Tree) -> Iterator[str]:
    yield f"## {name}"
    yield one["difference"].value
    sources = dict(zip(("keras", "torch"), one["sources"].value, strict=False))
    for where, equation in one["equations"].items():
        suffix = "" if where == "the rule" else f", {where}"
        for side, framework in (("keras", "Keras"), ("torch", "torch")):
            if side in equation:
                yield f"{framework}{suffix} (`{sources[side]}`, {number(equation[f'{side} off'])} off):"
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
        errors = [case.get(way, "") for way in ("stock", "matching", "ours", "going on")]
        shown = settings if settings == "default" else f"`{settings}`"
        rows.append((shown, errors[0], f"`{matching}`", *errors[1:]) if stock else (shown, *errors[2:]))
    between = ("torch's other numbers by default", "the numbers that match, in Keras's names", "with those") if stock else ()
    return table(("set", *between, "`optimizer_like`", "goes on"), rows)


def _around(found: Tree) -> Iterator[str]:
    yield (
        "What every Keras optimizer does around its rule, tried on SGD, whose rule both frameworks share, so that what is off comes from there. "
        "`parameters` and `loss` are yours, and"
    )
    yield code("python", found["prelude"].value)
    rows = [(f"`{name}`", one["wrong"], one["right"], one["ours"]) for name, one in found["around"].items()]
    yield table(("setting", "as often written", "as it should be", "`optimizer_like`"), rows)
    for name, one in found["around"].items():
        yield f"### `{name}`"
        yield f"{one['says'].value} `{one['keras'].value}`, as often written, {number(one['wrong'])} off:"
        yield code("python", one["wrong code"].value)
        yield f"As it should be, {number(one['right'])} off:"
        yield code("python", one["right code"].value)


def _schedules(found: Tree) -> Iterator[str]:
    rows = [
        (f"`{one['keras'].value}`", f"`{one['torch'].value}`", one["says"].value, one["stock"], one["ours"])
        for one in found.values()
    ]
    yield table(("Keras", "nearest in torch", "what is left", "off", "`schedule_like`"), rows)
    yield (
        "Errors are relative to the largest rate; Keras computes in float32. `optimizer_like` follows a schedule that it finds in the Keras "
        "optimizer by itself; `schedule_like(schedule, optimizer)` gives it as a torch scheduler, to be stepped after each step, not each epoch."
    )


def _back(found: Tree) -> Iterator[str]:
    yield (
        "`optimizer_like` of a torch optimizer is a Keras optimizer with torch's rule. Half of the steps in torch, then slots and step count carried "
        "over and the other half in Keras, against all of them in torch:"
    )
    yield table(
        ("torch", "in Keras", "off"),
        [(f"`{text}`", f"`{one['class'].value}`", one["going on"]) for text, one in found.items()],
    )


def _draw(results: Tree, path: Path) -> None:
    defaults = _defaults(results)
    panels = {name: defaults[name]["curves"].value for name in _DRAWN}
    draw_optimizers(panels, _found(results)["every"].value, path)


PAGE = Page(
    name="optimizers",
    title="Optimizers",
    question="How does each optimizer of Keras update, how does torch's, and what makes them the same?",
    experiments=(("tensorflow", "optimizers"), ("torch", "optimizers")),
    verdict=_verdict,
    body=_body,
    figures=(Figure(_FILE, _draw),),
)
