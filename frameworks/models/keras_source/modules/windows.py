"""Convolutions, pooling and normalisation, with the channels last as Keras has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frameworks.models.keras_source.functions.reducing import input_of
from frameworks.models.keras_source.held import Held, channels_last, plain_order
from frameworks.models.keras_source.layer import KerasLayer, array_of
from frameworks.models.keras_source.literals import literal
from frameworks.models.keras_source.modules.plain import Writer, trained
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.tracing.steps import ModuleCall


def each(number: Any, count: int) -> tuple[int, ...]:
    """Return a number for each axis of a window."""
    return tuple(number) if isinstance(number, (tuple, list)) else (number,) * count


def shown(numbers: Sequence[int]) -> str:
    """Return numbers as an argument: one if they are all the same."""
    return str(numbers[0]) if len(set(numbers)) == 1 else str(tuple(numbers))


def _options(**options: tuple[Sequence[int], int]) -> str:
    return "".join(f", {name}={shown(numbers)}" for name, (numbers, default) in options.items() if set(numbers) != {default})


def _last(scope: Scope, step: ModuleCall, rank: int) -> Held:
    source = step.args[0]
    if len(source.shape) != rank:
        raise uncarried(
            step, "the input", f"have {rank} axes, a batch among them", f"has {len(source.shape)}", "Add a batch axis."
        )
    return input_of(scope, source).ordered(channels_last(rank))


def padded(text: str, widths: Sequence[tuple[int, int]], mode: str = "zeros", value: str = "") -> str:
    """Return a tensor with its channels last, padded along the axes of a window."""
    if not any(width for pair in widths for width in pair):
        return text
    listed = ", ".join(f"({low}, {high})" for low, high in widths)
    option = ', mode="reflect"' if mode == "reflect" else f", constant_values={value}" if value else ""
    return f"ops.pad({text}, ((0, 0), {listed}, (0, 0)){option})"


def convolution(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write a convolution."""
    count = len(module.kernel_size)
    held = _last(scope, step, count + 2)
    stride, dilation = module.stride, module.dilation
    if module.padding_mode not in ("zeros", "reflect"):
        raise uncarried(step, "padding_mode", 'be "zeros" or "reflect"', f"is {module.padding_mode!r}", "Pad with F.pad first.")
    spans = [size * (kernel - 1) for size, kernel in zip(dilation, module.kernel_size, strict=True)]
    same = module.padding == "same" and set(stride) == {1}
    if module.padding in ("same", "valid"):
        widths = (
            [(0, 0)] * count
            if module.padding == "valid" or module.padding_mode == "zeros"
            else [(s // 2, s - s // 2) for s in spans]
        )
    else:
        pads = each(module.padding, count)
        same = set(stride) == {1} and all(2 * pad == span for pad, span in zip(pads, spans, strict=True)) and any(pads)
        widths = [(pad, pad) for pad in pads]
    same = same and module.padding_mode == "zeros"
    text = held.text if same else padded(held.text, widths, module.padding_mode)
    options = _options(strides=(stride, 1), dilation_rate=(dilation, 1))
    bias = module.bias is not None
    options += "" if bias else ", use_bias=False"
    kernel = array_of(module.weight).transpose(*range(2, count + 2), 1, 0)
    depthwise = module.groups > 1 and module.groups == module.in_channels
    if depthwise and count < 3:
        multiplier = module.out_channels // module.groups
        # torch has the outputs of one channel next to each other, as Keras has.
        kernel = array_of(module.weight).reshape(module.groups, multiplier, *module.kernel_size)
        kernel = kernel.transpose(*range(2, count + 2), 0, 1)
        first = f"keras.layers.DepthwiseConv{count}D({shown(module.kernel_size)}"
        options = (f", depth_multiplier={multiplier}" if multiplier > 1 else "") + options
    else:
        first = f"keras.layers.Conv{count}D({module.out_channels}, {shown(module.kernel_size)}"
        options += f", groups={module.groups}" if module.groups > 1 else ""
    layer = KerasLayer(
        f"{first}{', padding=' + chr(34) + 'same' + chr(34) if same else ''}{options}{trained(module)})",
        f"({'None, ' * (count + 1)}{module.in_channels})",
        {"": (kernel, *((array_of(module.bias),) if bias else ()))},
    )
    scope.put(step.result, f"{scope.layer(step, layer)}({text})", held.order)


def transposed(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write a transposed convolution, whose padding torch cuts off the result."""
    count = len(module.kernel_size)
    held = _last(scope, step, count + 2)
    if module.groups != 1 or set(module.dilation) != {1} or count > 2:
        raise uncarried(
            step, f"nn.{type(module).__name__}", "have groups and dilation of 1", "has others", "Use one without them."
        )
    cuts: list[tuple[int, int]] = []
    for kernel, stride, pad, extra in zip(
        module.kernel_size, module.stride, module.padding, module.output_padding, strict=True
    ):
        full = max(kernel, stride)  # what Keras has beyond (n - 1) * stride
        end = full - (kernel - pad + extra)
        if end < 0:
            raise uncarried(
                step, "output_padding", "lie within what the kernel reaches", f"is {extra}", "Pad the result yourself."
            )
        cuts.append((pad, end))
    bias = module.bias is not None
    layer = KerasLayer(
        f"keras.layers.Conv{count}DTranspose({module.out_channels}, {shown(module.kernel_size)}"
        f"{_options(strides=(module.stride, 1))}{'' if bias else ', use_bias=False'}{trained(module)})",
        f"({'None, ' * (count + 1)}{module.in_channels})",
        {"": (array_of(module.weight).transpose(*range(2, count + 2), 1, 0), *((array_of(module.bias),) if bias else ()))},
    )
    slices = ", ".join(f"{low or ''}:{-high if high else ''}" for low, high in cuts)
    cut = f"[:, {slices}]" if any(width for pair in cuts for width in pair) else ""
    scope.put(step.result, f"{scope.layer(step, layer)}({held.text}){cut}", held.order)


def pooling(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write pooling by windows."""
    kind = type(module).__name__
    count = int(kind[-2])
    held = _last(scope, step, count + 2)
    size, stride, pad = (each(getattr(module, name), count) for name in ("kernel_size", "stride", "padding"))
    if module.ceil_mode or set(each(getattr(module, "dilation", 1), count)) != {1} or getattr(module, "return_indices", False):
        raise uncarried(
            step, f"nn.{kind}", "have ceil_mode False, dilation 1 and no indices", "has others", "Pad the input yourself."
        )
    maximum = kind.startswith("Max")
    if not maximum and any(pad) and (not module.count_include_pad or getattr(module, "divisor_override", None)):
        raise uncarried(step, f"nn.{kind}", "count the padding", "does not", "Pad the input yourself.")
    text = padded(held.text, [(width, width) for width in pad], value='float("-inf")' if maximum else "")
    options = "" if size == stride else f", strides={shown(stride)}"
    layer = KerasLayer(f"keras.layers.{'Max' if maximum else 'Average'}Pooling{count}D({shown(size)}{options})")
    scope.put(step.result, f"{scope.layer(step, layer)}({text})", held.order)


def adaptive(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write pooling over whole axes."""
    kind = type(module).__name__
    count = int(kind[-2])
    if set(each(module.output_size, count)) != {1} or getattr(module, "return_indices", False):
        raise uncarried(
            step, f"output_size of nn.{kind}", "be 1", f"is {module.output_size}", "Pool by windows of a fixed size."
        )
    source = step.args[0]
    held = input_of(scope, source)
    rank = len(held.order)
    places = sorted(held.order.index(axis) for axis in range(rank - count, rank))
    axis = places[0] if count == 1 else tuple(places)
    scope.put(step.result, f"ops.{'max' if 'Max' in kind else 'mean'}({held.text}, axis={axis}, keepdims=True)", held.order)


def batch_norm(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write batch normalisation."""
    if module.running_mean is None:
        raise uncarried(step, "track_running_stats", "be True", "is False", "Normalise with LayerNorm or GroupNorm.")
    rank = len(step.args[0].shape)
    held = input_of(scope, step.args[0]).ordered(channels_last(rank))
    affine = module.affine
    momentum = "" if module.momentum is None else f"momentum={literal(1 - module.momentum)}, "
    arrays = [array_of(each) for each in (module.weight, module.bias) if each is not None]
    arrays += [array_of(module.running_mean), array_of(module.running_var)]
    layer = KerasLayer(
        f"keras.layers.BatchNormalization({momentum}epsilon={literal(module.eps)}"
        f"{'' if affine else ', center=False, scale=False'}{trained(module)})",
        f"({'None, ' * (rank - 1)}{module.num_features})",
        {"": tuple(arrays)},
        {"weight": ("gamma", False), "bias": ("beta", False)},
        "Keras's moving variance takes the batch's variance as it is; torch's multiplies it by n / (n - 1)",
    )
    scope.put(step.result, f"{scope.layer(step, layer)}({held.text})", held.order)


def layer_norm(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write layer normalisation."""
    source = step.args[0]
    rank, count = len(source.shape), len(module.normalized_shape)
    held = input_of(scope, source)
    if held.order[-count:] != plain_order(rank)[-count:]:
        held = scope.plain(source)
    axis = "" if count == 1 else f"axis={list(range(-count, 0))}, "
    options = "" if module.weight is not None else ", scale=False"
    options += "" if module.bias is not None else ", center=False"
    arrays = tuple(array_of(each) for each in (module.weight, module.bias) if each is not None)
    sizes = ", ".join(map(str, module.normalized_shape))
    layer = KerasLayer(
        f"keras.layers.LayerNormalization({axis}epsilon={literal(module.eps)}{options}{trained(module)})",
        f"({'None, ' * (rank - count)}{sizes})",
        {"": arrays} if arrays else {},
        {"weight": ("gamma", False), "bias": ("beta", False)},
    )
    scope.put(step.result, f"{scope.layer(step, layer)}({held.text})", held.order)


def group_norm(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write group normalisation, and instance normalisation, which has a group for each channel."""
    instance = type(module).__name__.startswith("Instance")
    if instance and module.track_running_stats:
        raise uncarried(step, "track_running_stats of InstanceNorm", "be False", "is True", "Normalise by the input alone.")
    rank = len(step.args[0].shape)
    held = input_of(scope, step.args[0]).ordered(channels_last(rank))
    channels = module.num_features if instance else module.num_channels
    arrays = tuple(array_of(each) for each in (module.weight, module.bias) if each is not None)
    layer = KerasLayer(
        f"keras.layers.GroupNormalization({channels if instance else module.num_groups}, epsilon={literal(module.eps)}"
        f"{'' if arrays else ', center=False, scale=False'}{trained(module)})",
        f"({'None, ' * (rank - 1)}{channels})",
        {"": arrays} if arrays else {},
    )
    scope.put(step.result, f"{scope.layer(step, layer)}({held.text})", held.order)


WRITERS: dict[str, Writer] = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), convolution),
    **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d"), transposed),
    **{f"{kind}Pool{count}d": pooling for kind in ("Max", "Avg") for count in (1, 2, 3)},
    **{f"Adaptive{kind}Pool{count}d": adaptive for kind in ("Max", "Avg") for count in (1, 2, 3)},
    **{f"BatchNorm{count}d": batch_norm for count in (1, 2, 3)},
    "LayerNorm": layer_norm,
    "GroupNorm": group_norm,
    **{f"InstanceNorm{count}d": group_norm for count in (1, 2, 3)},
}
