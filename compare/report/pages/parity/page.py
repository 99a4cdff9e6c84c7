"""The page on parity: the grid of cases, with Keras on both of its tested backends."""

from __future__ import annotations

from compare.report.page import Page, Tree, code, number, table, worst

_BACKENDS = ("tensorflow", "torch")
_COLUMNS = ("keras", "pytorch", "mutual", "own call")

_CODE = """\
from gatewise import assert_parity, check_parity, convert

rnn = convert(layer, to="pytorch")     # layer: your own keras.layers.LSTM, GRU, SimpleRNN, Bidirectional, ...
assert_parity(layer, rnn)              # an AssertionError names what differs, where, and by how much
print(check_parity(layer, rnn))        # the same as a table
"""


def _cases(results: Tree, backend: str) -> Tree:
    cases: Tree = results["parity"][backend]["cases"]
    return cases


def _verdict(results: Tree) -> str:
    passed = [
        (
            backend,
            sum(case["verdict"].value == "passed" for case in _cases(results, backend).values()),
            len(_cases(results, backend)),
        )
        for backend in _BACKENDS
    ]
    counted = " ".join(f"On the {backend} backend {count} of {total} cases pass." for backend, count, total in passed)
    compared = sum(case["comparisons"].value for backend in _BACKENDS for case in _cases(results, backend).values())
    return f"{counted} Together they make {compared} comparisons of weights, outputs, final states and results of Keras calls."


def _body(results: Tree) -> str:
    sections = [_explain(), *(_backend(results, backend) for backend in _BACKENDS), "## The code", code("python", _CODE)]
    return "\n\n".join(sections)


def _explain() -> str:
    return (
        "Each case is a layer with random weights and biases in one framework, and its port to the other. The weights are compared "
        "first. Then each layer is compared with a float64 NumPy reference with the same weights, the two layers with each other, and "
        "the result of the Keras call with the one that the [return-value map](return-values.md) computes from PyTorch's results. Each comparison "
        "is made from zeros and from random initial states. Batch, time, input and hidden size all differ.\n\n"
        "The numbers are the *needed tolerance*: the largest error as a share of max(1, max |expected|). The limit is 1e-5 in float32 "
        "and 1e-12 in float64. On the torch backend it is 1e-5 in both, since `keras.ops.matmul` computes in float32 there, "
        "whatever the dtype."
    )


def _backend(results: Tree, backend: str) -> str:
    cases = _cases(results, backend)
    rows = [
        (name, case["verdict"].value, number(case["weights"]), *(number(case[column]) for column in _COLUMNS))
        for name, case in cases.items()
    ]
    rows.append(("**largest**", "", worst(case["weights"] for case in cases.values()), *(
        worst(case[column] for case in cases.values()) for column in _COLUMNS
    )))  # fmt: skip
    headers = (
        "case",
        "verdict",
        "weights",
        "Keras to reference",
        "PyTorch to reference",
        "Keras to PyTorch",
        "Keras call",
    )
    return f"## Keras on {backend}\n\n{table(headers, rows)}"


PAGE = Page(
    name="parity",
    title="Parity",
    question="Does a ported layer compute the same as the original?",
    experiments=tuple((backend, "parity") for backend in _BACKENDS),
    verdict=_verdict,
    body=_body,
)
