"""The right layers, built in their framework."""

from __future__ import annotations

from typing import Any

from tests.acceptance.diagnose.layouts import Native
from tests.acceptance.diagnose.settings import Array, Data, Setting

_TORCH = {"lstm": "LSTM", "gru": "GRU", "gru-before": "GRU", "rnn": "RNN"}
_OF_A_LAYER = ("return_sequences", "return_state", "go_backwards", "stateful", "zero_output_for_mask")


def build_right(setting: Setting, source: list[list[Native]], batch: int | None) -> Any:
    """Return the right layer; a list of layers where Keras has several."""
    if setting.right == "pytorch":
        return build_torch(setting, source)
    layers = [build_keras(setting, arrays, last=arrays is source[-1], batch=batch) for arrays in source]
    return layers[0] if len(layers) == 1 else layers


def build_keras(setting: Setting, arrays: list[Native], *, last: bool, batch: int | None = None, **other: Any) -> Any:
    """Return one Keras layer of one or two directions; `other` holds arguments of a wrong one."""
    import keras

    arguments: dict[str, Any] = {"activation": setting.activation, "return_sequences": setting.sequences or not last}
    arguments |= {"return_state": setting.state and last, "dtype": setting.dtype, "go_backwards": setting.backwards}
    arguments |= {"zero_output_for_mask": True} if setting.zero_masked else {}
    arguments |= {"stateful": setting.stateful}
    kind = {"lstm": "LSTM", "gru": "GRU", "gru-before": "GRU", "rnn": "SimpleRNN"}[setting.cell]
    if setting.cell != "rnn":
        arguments["recurrent_activation"] = setting.recurrent_activation
    if kind == "GRU":
        arguments["reset_after"] = setting.cell == "gru"
    arguments |= other
    units = arrays[0]["recurrent"].shape[0]
    if setting.form == "cell":
        kind += "Cell"
        arguments = {name: value for name, value in arguments.items() if name not in _OF_A_LAYER}
    layer = getattr(keras.layers, kind)(units, **arguments)
    if len(arrays) == 2:
        layer = keras.layers.Bidirectional(layer, merge_mode=setting.merge if last else "concat", dtype=setting.dtype)
    steps = () if setting.form == "cell" else (None,)
    layer.build((batch if setting.stateful else None, *steps, arrays[0]["kernel"].shape[0]))
    names = ("kernel", "recurrent", "bias") if arguments.get("use_bias", True) else ("kernel", "recurrent")
    layer.set_weights([each[name] for each in arrays for name in names])
    return layer


def build_torch(setting: Setting, arrays: list[list[Native]], *, biased: bool = True, relu: bool | None = None) -> Any:
    """Return one torch module that holds these arrays."""
    import torch

    kind = getattr(torch.nn, _TORCH[setting.cell])
    units, inputs = arrays[0][0]["weight_hh"].shape[1], arrays[0][0]["weight_ih"].shape[1]
    if setting.form == "cell":
        return _build_torch_cell(setting, arrays[0][0], biased=biased, relu=relu)
    arguments: dict[str, Any] = {"num_layers": len(arrays), "bidirectional": len(arrays[0]) == 2, "batch_first": True}
    arguments |= {"bias": biased, "dtype": getattr(torch, setting.dtype)}
    if setting.cell == "rnn" and (setting.activation == "relu" if relu is None else relu):
        arguments["nonlinearity"] = "relu"
    module = kind(inputs, units, **arguments)
    with torch.no_grad():
        for layer, directions in enumerate(arrays):
            for direction, native in enumerate(directions):
                for name, array in native.items():
                    if biased or "bias" not in name:
                        module.get_parameter(f"{name}_l{layer}{'_reverse' * direction}").copy_(torch.tensor(array))
    return module


def _build_torch_cell(setting: Setting, native: Native, *, biased: bool, relu: bool | None) -> Any:
    """Return one torch cell that holds these arrays."""
    import torch

    units, inputs = native["weight_hh"].shape[1], native["weight_ih"].shape[1]
    kind = getattr(torch.nn, f"{_TORCH[setting.cell]}Cell")
    options = (
        {"nonlinearity": "relu"} if setting.cell == "rnn" and (setting.activation == "relu" if relu is None else relu) else {}
    )
    cell = kind(inputs, units, bias=biased, dtype=getattr(torch, setting.dtype), **options)
    with torch.no_grad():
        for name, array in native.items():
            if biased or "bias" not in name:
                cell.get_parameter(name).copy_(torch.tensor(array))
    return cell


def read_keras(layer: Any, native: list[Native]) -> list[Native]:
    """Return what lies in a layer now, for each direction; zeros for biases that it does not have."""
    held = layer.get_weights()
    share = len(held) // len(native)
    names = ("kernel", "recurrent", "bias")[:share]
    return [each | dict(zip(names, held[at * share :], strict=False)) for at, each in enumerate(native)]


def read_torch(module: Any, native: list[list[Native]]) -> list[list[Native]]:
    """Return what lies in a module now, [layer][direction]; zeros for biases that it does not have."""
    held = {name: each.detach().numpy() for name, each in module.named_parameters()}

    def read(layer: int, direction: int, arrays: Native) -> Native:
        ending = f"_l{layer}{'_reverse' * direction}"
        return {name: held.get(name + ending, array) for name, array in arrays.items()}

    return [[read(layer, direction, each) for direction, each in enumerate(row)] for layer, row in enumerate(native)]


def call_right(setting: Setting, right: Any, data: Data) -> list[Array]:
    """Return what the right layer's own call returns, flat, as NumPy arrays."""
    import keras
    import torch

    if setting.right == "pytorch":
        states = None if data.states is None else tuple(torch.tensor(each) for each in data.states)
        with torch.no_grad():
            output, last = right(torch.tensor(data.inputs), states[0] if states and len(states) == 1 else states)
        return [each.numpy() for each in (output, *(last if isinstance(last, tuple) else (last,)))]
    result: Any = keras.ops.convert_to_tensor(data.inputs)
    for number, layer in enumerate(right if isinstance(right, list) else [right]):
        places = range(number * setting.directions, (number + 1) * setting.directions)
        initial = (
            None if data.states is None else [keras.ops.convert_to_tensor(kind[at]) for at in places for kind in data.states]
        )
        mask = None if data.mask is None else keras.ops.convert_to_tensor(data.mask)
        result = layer(result, initial_state=initial, mask=mask)
    return [keras.ops.convert_to_numpy(each) for each in (result if isinstance(result, list | tuple) else [result])]
