"""Modules that act along the last axis, or on each number by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frameworks.models.keras_source.functions import FUNCTIONS
from frameworks.models.keras_source.functions.reducing import input_of
from frameworks.models.keras_source.held import channels_last
from frameworks.models.keras_source.layer import KerasLayer, array_of
from frameworks.models.keras_source.literals import literal
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.tracing.steps import Function, ModuleCall

Writer = Callable[[Scope, ModuleCall, Any], None]


def trained(module: Any) -> str:
    """Return the argument that says that none of a module's parameters is trained."""
    parameters = list(module.parameters(recurse=False))
    return ", trainable=False" if parameters and not any(each.requires_grad for each in parameters) else ""


def linear(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write a Dense layer."""
    bias = module.bias is not None
    arrays = (array_of(module.weight).T, *((array_of(module.bias),) if bias else ()))
    (source,) = step.args
    owner = scope.unit.owner_of(module.weight, step.path)
    if owner is not None:
        return _tied(scope, step, module, owner)
    layer = KerasLayer(
        f"keras.layers.Dense({module.out_features}{'' if bias else ', use_bias=False'}{trained(module)})",
        f"({'None, ' * max(len(source.shape) - 1, 1)}{module.in_features})",
        {"": arrays},
        {"weight": ("kernel", True), "bias": ("bias", False)},
    )
    held = input_of(scope, source)
    if held.order[-1] != len(held.order) - 1:
        held = scope.plain(source)
    name = scope.layer(step, layer)
    if len(held.order) == 1:
        return scope.put(step.result, f"{name}({held.tight}[None])[0]")
    return scope.put(step.result, f"{name}({held.text})", held.order)


def _tied(scope: Scope, step: ModuleCall, module: Any, weight: str) -> None:
    """Write a product with the weights of another layer."""
    text = f"ops.matmul({scope.arg(step.args[0])}, ops.transpose({weight}))"
    if module.bias is not None:
        bias = scope.unit.own_weight(f"{step.path}.bias", f"{step.path.rsplit('.', 1)[-1]}_bias")
        return scope.put(step.result, f"{text} + {bias}", loose=True)
    return scope.put(step.result, text)


def embedding(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write an Embedding layer."""
    if module.max_norm is not None:
        raise uncarried(step, "max_norm of nn.Embedding", "be None", f"is {module.max_norm}", "Normalise its weights yourself.")
    remark = ""
    if module.padding_idx is not None:
        remark = f"torch never trains row {module.padding_idx} (padding_idx); Keras does"
    layer = KerasLayer(
        f"keras.layers.Embedding({module.num_embeddings}, {module.embedding_dim}{trained(module)})",
        "(None, None)",
        {"": (array_of(module.weight),)},
        {"weight": ("embeddings", False)},
        remark,
    )
    owner = scope.unit.owner_of(module.weight, step.path)
    held = input_of(scope, step.args[0])
    order = (*held.order, len(held.order))
    if owner is not None:
        return scope.put(step.result, f"ops.take({owner}, {held.text}, axis=0)", order)
    return scope.put(step.result, f"{scope.layer(step, layer)}({held.text})", order)


def dropout(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write a Dropout layer, or one that drops whole channels."""
    kind = type(module).__name__
    source = step.args[0]
    if kind in ("Dropout", "AlphaDropout"):
        held = input_of(scope, source)
        name = scope.layer(step, KerasLayer(f"keras.layers.{kind}({literal(module.p)})"))
        return scope.put(step.result, f"{name}({held.text})", held.order)
    rank = {"Dropout1d": 3, "Dropout2d": 4, "Dropout3d": 5}.get(kind)
    if rank != len(source.shape):
        raise uncarried(step, f"the input of nn.{kind}", f"have {rank} axes", f"has {len(source.shape)}", "Use nn.Dropout.")
    held = input_of(scope, source).ordered(channels_last(rank))
    name = scope.layer(step, KerasLayer(f"keras.layers.SpatialDropout{rank - 2}D({literal(module.p)})"))
    return scope.put(step.result, f"{name}({held.text})", held.order)


def identity(scope: Scope, step: ModuleCall, module: Any) -> None:  # noqa: ARG001  the signature of a writer
    """Let the result stand for the input."""
    scope.hold(step.result, scope.held(step.args[0]))


_ACTIVATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        name: (name.lower(), ())
        for name in (
            "ReLU",
            "ReLU6",
            "Tanh",
            "Sigmoid",
            "SELU",
            "Mish",
            "Softsign",
            "Tanhshrink",
            "LogSigmoid",
            "Hardswish",
            "Hardsigmoid",
            "SiLU",
        )
    },
    "LeakyReLU": ("leaky_relu", ("negative_slope",)),
    "ELU": ("elu", ("alpha",)),
    "CELU": ("celu", ("alpha",)),
    "GELU": ("gelu", ("approximate",)),
    "Softplus": ("softplus", ("beta", "threshold")),
    "Hardtanh": ("hardtanh", ("min_val", "max_val")),
    "Hardshrink": ("hardshrink", ("lambd",)),
    "Softshrink": ("softshrink", ("lambd",)),
    "Threshold": ("threshold", ("threshold", "value")),
    "Softmax": ("softmax", ("dim",)),
    "LogSoftmax": ("log_softmax", ("dim",)),
    "Softmin": ("softmin", ("dim",)),
    "Flatten": ("flatten", ("start_dim", "end_dim")),
}
"""By the class: the function, and those of its arguments that are attributes of the module."""


def activation(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write a module without weights as the function that it is."""
    name, options = _ACTIVATIONS[type(module).__name__]
    kwargs = {option: getattr(module, option) for option in options}
    FUNCTIONS[name](scope, Function(step.args, kwargs, step.result, step.line, name=name))


def unflatten(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write the parting of an axis."""
    source = step.args[0]
    axis = int(module.dim) % len(source.shape)
    sizes = [scope.size_of(source, at) for at in range(len(source.shape))]
    sizes[axis : axis + 1] = list(module.unflattened_size)
    FUNCTIONS["reshape"](scope, Function((source, *sizes), {}, step.result, step.line, name="reshape"))


def prelu(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write a PReLU, whose slopes belong to channels, axis 1 in torch."""
    rank = len(step.args[0].shape)
    held = input_of(scope, step.args[0]).ordered(channels_last(rank))
    width = step.args[0].shape[1]
    alpha = array_of(module.weight)
    shared = "" if rank == 2 else f"shared_axes={list(range(1, rank - 1))}"
    shape = (*(1 for _ in range(rank - 2)), width)
    layer = KerasLayer(
        f"keras.layers.PReLU({shared}{trained(module)[2 if not shared else 0 :]})",
        f"({'None, ' * (rank - 1)}{width})",
        {"": ((alpha if alpha.size == width else alpha.repeat(width)).reshape(shape),)},
        remark="" if alpha.size == width else "torch has one slope for all channels, Keras one for each",
    )
    scope.put(step.result, f"{scope.layer(step, layer)}({held.text})", held.order)


WRITERS: dict[str, Writer] = {
    "Linear": linear,
    "Embedding": embedding,
    **dict.fromkeys(("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"), dropout),
    "Identity": identity,
    **dict.fromkeys(_ACTIVATIONS, activation),
    "Unflatten": unflatten,
    "PReLU": prelu,
}
