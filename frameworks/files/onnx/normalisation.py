"""Layer normalisations that a graph writes out, as the exporter of torch does before opset 17, as single operators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from frameworks.files.onnx.graph import Node
from frameworks.files.onnx.operators import constant


def joined(nodes: Iterable[Node]) -> list[Node]:
    """Return the nodes, where one LayerNormalization replaces the product with its weight and the sum with its bias."""
    nodes = list(nodes)
    norms = {id(node): norm for node in nodes if (norm := _norm(node))}
    sums: set[int] = set()
    for node in nodes:
        for name, bias in (node.inputs, node.inputs[::-1]) if node.kind == "Add" and len(node.inputs) == 2 else ():
            product = node.maker(name)
            norm = norms.get(id(product))
            if norm and len(norm.inputs) == 2 and bias in node.scope.arrays:
                norms[id(product)] = replace(norm, inputs=(*norm.inputs, bias))
                sums.add(id(node))
    return [norms.get(id(node), node) for node in nodes if id(node) not in sums]


def _norm(product: Node) -> Node | None:
    """Return a LayerNormalization without a bias if a node multiplies a normalised value with a weight."""
    if product.kind != "Mul" or len(product.inputs) != 2:
        return None
    for name, weight in (product.inputs, product.inputs[::-1]):
        quotient, array = product.maker(name), product.scope.arrays.get(weight)
        if quotient is None or quotient.kind != "Div" or array is None:
            continue
        centred, variance = _made(quotient, 0, "Sub"), _made(_made(quotient, 1, "Sqrt"), 0, "Add")
        power = _made(_made(variance, 0, "ReduceMean"), 0, "Pow")
        axes = list(range(-len(array.shape), 0))
        means = [_made(variance, 0, "ReduceMean"), _made(centred, 1, "ReduceMean")]
        if not centred or not variance or not power or any(mean is None or _axes(mean) != axes for mean in means):
            continue
        epsilon = _number(variance, 1)
        same = centred.inputs[0] == means[1].inputs[0] and power.inputs[0] == quotient.inputs[0]  # type: ignore[union-attr]
        if same and epsilon is not None and _number(power, 1) == 2:
            attributes = {"axis": axes[0], "epsilon": epsilon} if axes else {}
            return replace(product, kind="LayerNormalization", inputs=(centred.inputs[0], weight), attributes=attributes)
    return None


def _made(node: Node | None, index: int, kind: str) -> Node | None:
    """Return the operator of a kind that computes an input of a node, or None."""
    maker = node.maker(node.inputs[index]) if node and index < len(node.inputs) else None
    return maker if maker and maker.kind == kind and maker.is_standard and maker.inputs else None


def _axes(mean: Node) -> list[int] | None:
    """Return the axes of a mean: an attribute, or an input from opset 18 on."""
    given = constant(mean.inputs[1], mean) if len(mean.inputs) > 1 else None
    return given.array.read().reshape(-1).tolist() if given else mean.attributes.get("axes")


def _number(node: Node, index: int) -> float | None:
    """Return an input of a node that is one stored number, or None."""
    given = constant(node.inputs[index], node) if index < len(node.inputs) else None
    return float(given.array.read().reshape(-1)[0]) if given and given.array.shape in ((), (1,)) else None
