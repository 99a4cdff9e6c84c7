"""Products of tensors, and functions of layers that are given their weights."""

from __future__ import annotations

from collections.abc import Callable

from frameworks.models.keras_source.functions.binding import bound
from frameworks.models.keras_source.literals import literal
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.tracing.steps import Function


def matmul(scope: Scope, step: Function) -> None:
    """Write a product of matrices."""
    values = bound(step, "one other")
    one, other = scope.arg(values["one"]), scope.arg(values["other"])
    scope.put(step.result, f"ops.matmul({one}, {other})")


def added_product(scope: Scope, step: Function) -> None:
    """Write a product of matrices with something added."""
    values = bound(step, "input one other beta=1 alpha=1")
    if values["beta"] != 1 or values["alpha"] != 1:
        raise uncarried(step, step.name, "have alpha and beta of 1", "has others", "Multiply yourself.")
    product = f"ops.matmul({scope.arg(values['one'])}, {scope.arg(values['other'])})"
    scope.put(step.result, f"{scope.arg(values['input'], tight=True)} + {product}", loose=True)


def einsum(scope: Scope, step: Function) -> None:
    """Write a sum of products by its equation."""
    equation, *tensors = step.args
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = list(tensors[0])
    scope.put(step.result, f'ops.einsum("{equation}", {", ".join(scope.arg(each) for each in tensors)})')


def linear(scope: Scope, step: Function) -> None:
    """Write a product with given weights."""
    values = bound(step, "input weight bias=None")
    weight = scope.arg(values["weight"])
    text = f"ops.matmul({scope.arg(values['input'])}, ops.transpose({weight}))"
    if values["bias"] is None:
        return scope.put(step.result, text)
    return scope.put(step.result, f"{text} + {scope.arg(values['bias'], tight=True)}", loose=True)


def embedding(scope: Scope, step: Function) -> None:
    """Write the choice of rows of given weights."""
    values = bound(step, "input weight _padding_idx=None max_norm=None _norm_type=2.0 _scale_grad_by_freq=False _sparse=False")
    if values["max_norm"] is not None:
        raise uncarried(step, "max_norm of F.embedding", "be None", f"is {values['max_norm']}", "Normalise the weights.")
    scope.put(step.result, f"ops.take({scope.arg(values['weight'])}, {scope.arg(values['input'])}, axis=0)")


def layer_norm(scope: Scope, step: Function) -> None:
    """Write a normalisation over the last axes."""
    values = bound(step, "input normalized_shape weight=None bias=None eps=1e-05")
    source, shape = values["input"], values["normalized_shape"]
    rank = len(source.shape)
    axes = tuple(range(rank - len(shape), rank)) if len(shape) > 1 else -1
    held = scope.plain(source)
    name = held.text if held.text.isidentifier() else scope.variable(source, held)
    mean = f"ops.mean({name}, axis={axes}, keepdims=True)"
    variance = f"ops.var({name}, axis={axes}, keepdims=True)"
    text = f"({name} - {mean}) * ops.rsqrt({variance} + {literal(values['eps'])})"
    if values["weight"] is not None:
        text += f" * {scope.arg(values['weight'], tight=True)}"
    if values["bias"] is not None:
        text += f" + {scope.arg(values['bias'], tight=True)}"
    scope.put(step.result, text, loose=True)


def attention(scope: Scope, step: Function) -> None:
    """Write attention by scaled products."""
    values = bound(step, "query key value attn_mask=None _dropout_p=0.0 is_causal=False scale=None _enable_gqa=False")
    query, key, value = (scope.arg(values[name], tight=True) for name in ("query", "key", "value"))
    width = values["query"].shape[-1]
    scale = values["scale"] if values["scale"] is not None else width**-0.5
    text = f"ops.matmul({query}, ops.swapaxes({key}, -1, -2)) * {scope.number(scale)}"
    scores = scope.assign_new("scores", text)
    mask = values["attn_mask"]
    if values["is_causal"]:
        rows, columns = (scope.number(scope.size_of(values[name], len(values[name].shape) - 2)) for name in ("query", "key"))
        allowed = f"ops.arange({columns}) <= ops.arange({rows})[:, None]"
        scope.write(f'{scores} = ops.where({allowed}, {scores}, float("-inf"))')
    elif mask is not None and mask.dtype == "bool":
        scope.write(f'{scores} = ops.where({scope.arg(mask)}, {scores}, float("-inf"))')
    elif mask is not None:
        scope.write(f"{scores} = {scores} + {scope.arg(mask, tight=True)}")
    scope.put(step.result, f"ops.matmul(ops.softmax({scores}, axis=-1), {value})")


def cosine_similarity(scope: Scope, step: Function) -> None:
    """Write the cosine between two tensors; each norm is taken to be at least eps."""
    values = bound(step, "x1 x2 dim=1 eps=1e-08")
    one, other = (scope.arg(values[name]) for name in ("x1", "x2"))
    axis = int(values["dim"]) % len(values["x1"].shape)
    norms = [f"ops.maximum(ops.norm({each}, axis={axis}), {literal(values['eps'])})" for each in (one, other)]
    scope.put(step.result, f"ops.sum({one} * {other}, axis={axis}) / ({norms[0]} * {norms[1]})", loose=True)


WRITERS: dict[str, Callable[[Scope, Function], None]] = {
    **dict.fromkeys(("matmul", "bmm", "mm", "mv", "dot", "__matmul__"), matmul),
    **dict.fromkeys(("addmm", "baddbmm"), added_product),
    "einsum": einsum,
    "linear": linear,
    "embedding": embedding,
    "layer_norm": layer_norm,
    "scaled_dot_product_attention": attention,
    "cosine_similarity": cosine_similarity,
}
