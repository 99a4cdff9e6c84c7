"""The page on models that strangers trained."""

from __future__ import annotations

from compare.pages.page import Page, Tree, code, number, table, worst

_CODE = {
    "keras": """\
layer = keras.models.load_model(...).get_layer(...)   # however the file opens
rnn = convert(layer, to="pytorch")                    # {pytorch}
assert_parity(layer, rnn)
""",
    "pytorch": """\
rnn = {pytorch}
rnn.load_state_dict(...)                              # the tensors of the file
layer = convert(rnn.eval(), to="keras")
""",
}
_TORCH = {"lstm": "nn.LSTM", "gru": "nn.GRU", "rnn": "nn.RNN"}


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
            number(model["in its own framework"]),
            number(model["ported"]),
            number(model["recurrent kernel not transposed"]),
        )
        for name, model in models.items()
    ]
    headers = ("model", "layer", "carried over from", "error where it was trained", "error of the port", "of a wrong port")
    intro = (
        "The wrong port leaves the recurrent kernel untransposed: its blocks are square, so no shape check notices. Expected values "
        "were recorded with the models' original code, not with this project."
    )
    return "\n\n".join([table(headers, rows), intro, *(_section(name, model) for name, model in models.items())])


def _layer(model: Tree) -> str:
    spec = model["spec"].value
    sizes = f"{spec['input_size']} to {spec['hidden_size']}"
    depth = f" x{spec['num_layers']}" if spec["num_layers"] > 1 else ""
    return f"{'bidirectional ' * spec['bidirectional']}{spec['cell'].upper()}{depth}, {sizes}"


def _section(name: str, model: Tree) -> str:
    facts, spec = model["facts"].value, model["spec"].value
    extra = f", num_layers={spec['num_layers']}" * (spec["num_layers"] > 1) + ", bidirectional=True" * spec["bidirectional"]
    module = f"{_TORCH[spec['cell']]}({spec['input_size']}, {spec['hidden_size']}{extra}, batch_first=True)"
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
        code("python", _CODE[facts["origin"]].format(pytorch=module)),
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
