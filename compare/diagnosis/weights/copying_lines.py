"""The lines of code that copy one array of a recurrent layer correctly, from either framework into either."""

from __future__ import annotations

from collections.abc import Sequence

from compare.diagnosis.weights.observed import BOTH_BIASES, Unit
from compare.diagnosis.weights.origins import Right, exchange
from frameworks.layouts import KERAS, PYTORCH
from frameworks.spec import RecurrentSpec
from frameworks.weights import BIASES

_TORCH = {"kernel": "weight_ih", "recurrent_kernel": "weight_hh", "bias": "bias_ih", "recurrent_bias": "bias_hh"}


def copying_lines(units: Sequence[Unit], right: Right) -> str:
    """Return the code that copies the first of the arrays, which are all of one part; of all parts if there are several.

    `layer` is a Keras layer and `rnn` a torch module; `layers` are those of a stack, `rnns` the modules of a port.

    Args:
        units: the arrays.
        right: the right layer.
    """
    frameworks = [{id(KERAS): "keras", id(PYTORCH): "pytorch"}.get(id(each)) for each in (right.source, right.target)]
    parts = {"bias" if unit.part in (BOTH_BIASES, *BIASES) else unit.part for unit in units}
    first = units[0]
    names = _objects(frameworks)
    if "reset_after" in right.spec.record.options and not right.spec.reset_after and frameworks[1] == "pytorch":
        return "gatewise.emulate(right), which torch's own GRU cannot replace"
    if len(parts) > 1 or None in frameworks:
        return f"gatewise.copy_weights({names[0]}, {names[1]})"
    part = parts.pop()
    if frameworks == ["keras", "pytorch"]:
        lines = _to_torch(first, part, right)
    elif frameworks == ["pytorch", "keras"]:
        lines = _to_keras(first, part, right)
    else:
        lines = _within(first, part, right, is_keras=frameworks[0] == "keras")
    places = {unit.place for unit in units}
    return f"{lines}  # likewise for each layer and direction" if len(places) > 1 else lines


def _objects(frameworks: Sequence[str | None]) -> tuple[str, str]:
    shown = {"keras": "layer", "pytorch": "rnn"}
    if len(set(frameworks)) == 1 or None in frameworks:
        return "right", "port"
    return shown[str(frameworks[0])], shown[str(frameworks[1])]


def _cell(unit: Unit, spec: RecurrentSpec, name: str = "layer") -> str:
    layer = name if spec.num_layers == 1 else f"{name}s[{unit.layer}]"
    side = (".forward_layer", ".backward_layer")[unit.direction] if spec.bidirectional else ""
    return f"{layer}{side}.cell"


def _parameter(unit: Unit, part: str, right: Right, module: str = "rnn") -> str:
    own = "{}.{}" if right.is_cell else f"{{}}.{{}}_l{unit.layer}{'_reverse' if unit.direction else ''}"
    return (own if module == "right" else right.names.get(unit.place, own)).format(module, _TORCH[part])


def _to_torch(unit: Unit, part: str, right: Right) -> str:
    names = "kernel, recurrent_kernel" + (", bias" if right.spec.bias else "")
    read = f"{names} = map(torch.tensor, {_cell(unit, right.spec)}.get_weights())"
    first, second = (_parameter(unit, each, right) for each in BIASES)
    if part != "bias":
        return f"{read}\n{_parameter(unit, part, right)}.data.copy_({_exchanged(part, right)}.T)"
    if right.spec.has_two_biases:
        blocks = f"torch.cat([row.chunk(3)[gate] for gate in {exchange(right)}])"
        return f"{read}\nfor own, row in zip(({first}, {second}), bias): own.data.copy_({blocks})"
    return f"{read}\n{first}.data.copy_(bias); {second}.data.zero_()"


def _exchanged(part: str, right: Right) -> str:
    if exchange(right) == tuple(range(len(right.spec.gates))):
        return part
    return f"torch.cat([{part}.chunk(3, 1)[gate] for gate in {exchange(right)}], 1)"


def _to_keras(unit: Unit, part: str, right: Right) -> str:
    cell, mixed = _cell(unit, right.spec), exchange(right) != tuple(range(len(right.spec.gates)))
    first, second = (_parameter(unit, each, right) for each in BIASES)
    ordered = f"np.concatenate([blocks[gate] for gate in {exchange(right)}])"
    if part != "bias":
        array = f"{_parameter(unit, part, right)}.numpy(force=True)"
        if mixed:
            return f"blocks = np.split({array}, 3)\n{cell}.{part}.assign({ordered}.T)"
        return f"{cell}.{part}.assign({array}.T)"
    if right.spec.has_two_biases:
        read = f"biases = [np.split(each.numpy(force=True), 3) for each in ({first}, {second})]"
        return f"{read}\n{cell}.bias.assign([{ordered} for blocks in biases])"
    return f"{cell}.bias.assign(({first} + {second}).numpy(force=True))"


def _within(unit: Unit, part: str, right: Right, *, is_keras: bool) -> str:
    if is_keras:
        own, other = (_cell(unit, right.spec, name) for name in ("right", "port"))
        return f"{other}.{part}.assign({own}.{part})"
    parts = BIASES if part == "bias" else (part,)
    pairs = ((_parameter(unit, each, right, "port"), _parameter(unit, each, right, "right")) for each in parts)
    return "\n".join(f"{own}.data.copy_({other})" for own, other in pairs)
