"""Pairing torch parameters with Keras variables, and converting arrays between their shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from frameworks import registry
from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError
from frameworks.keras.structure import take_apart
from frameworks.keras.tensors import to_numpy
from frameworks.keras_in_torch.layers.parameters import CellHolder
from frameworks.keras_in_torch.optimizers.keras_optimizer import Pairing
from frameworks.layouts import KERAS, PYTORCH
from frameworks.part_layout import Stored
from frameworks.pytorch.structure import CELL_CLASSES, LAYER_CLASSES

Array = npt.NDArray[Any]
_RECURRENT: tuple[type[nn.Module], ...] = (*LAYER_CLASSES, *CELL_CLASSES, CellHolder)


def pair(parameters: Any, variables: list[Any] | None) -> list[Pairing]:
    """Pair parameters with variables.

    Args:
        parameters: torch parameters in the order of `variables`; or pairs, as a list or a mapping, of a Keras variable (or its
            path) and a parameter, or of a Keras layer and the torch module that corresponds to it.
        variables: the variables that the Keras optimizer trains, or None if it is not built yet, which leaves plain parameters
            unpaired.

    Raises:
        GatewiseError: for variables and parameters that do not pair up, with their names.
    """
    given = list(parameters.items() if isinstance(parameters, Mapping) else parameters or ())
    if not given:
        raise InvalidValueError.because(
            "the parameters",
            must="be given",
            but="are missing",
            remedy="Pass module.parameters(), or pairs of layers and modules.",
        )
    if all(isinstance(one, nn.Parameter) for one in given):
        if variables is None:
            return [Pairing(one) for one in given]
        _require_count(len(given), variables)
        return [_pair_variable(*one) for one in zip(variables, given, strict=True)]
    known = {variable.path: variable for variable in variables or ()}
    pairings = [pairing for one in given for pairing in _pair_one(one, known)]
    distinct = list({(id(pairing.variable), id(pairing.parameter)): pairing for pairing in pairings}.values())
    _require_trained(distinct, variables)
    paired = {id(pairing.variable) for pairing in distinct}
    missing = [variable.path for variable in variables or () if id(variable) not in paired]
    if missing:
        raise InvalidValueError.because(
            "the parameters",
            must="pair up with every variable that the Keras optimizer trains",
            but=f"leave out {', '.join(missing)}",
            remedy="Add a pair for each.",
        )
    return distinct


def _require_trained(pairings: list[Pairing], variables: list[Any] | None) -> None:
    """Raise an error for a variable or parameter that only one side would train, or that one side would train twice."""
    trained = {id(variable) for variable in variables or ()}
    frozen = [pairing.variable.path for pairing in pairings if variables is not None and id(pairing.variable) not in trained]
    if frozen or not pairings:
        raise InvalidValueError.because(
            "the parameters",
            must="belong to variables that the Keras optimizer trains",
            but=f"belong to {', '.join(frozen)}" if frozen else "are all frozen",
            remedy="Freeze the same layers on both sides: layer.trainable = False there, module.requires_grad_(False) here.",
        )
    count = len({id(pairing.parameter) for pairing in pairings})
    if count != len(pairings):
        raise InvalidValueError.because(
            "the parameters",
            must="belong to one variable each",
            but=f"are {count} for {len(pairings)} variables",
            remedy="Share the same layers on both sides.",
        )


def _pair_one(given: Any, known: Mapping[str, Any]) -> Iterator[Pairing]:
    if isinstance(given, dict):
        raise InvalidTypeError.because(
            "parameters",
            must="be torch parameters, or pairs",
            but="hold a dict, a parameter group, and Keras has no groups",
            remedy="Pass them without groups; for torch's two biases use freeze_second_bias, which needs none.",
        )
    if not isinstance(given, tuple) or len(given) != 2:
        raise InvalidTypeError.because(
            "parameters",
            must="be torch parameters, or pairs of a Keras and a torch object",
            but=f"hold a {type(given).__name__}",
            remedy="Pass module.parameters(), [(variable, parameter), ...] or [(layer, module), ...].",
        )
    keras_side, torch_side = given
    if isinstance(torch_side, _RECURRENT):
        yield from (pairing for pairing in _pair_recurrent(keras_side, torch_side) if pairing.parameter.requires_grad)
    elif isinstance(torch_side, nn.Module):
        trained = [one for one in torch_side.parameters() if one.requires_grad]
        _require_count(len(trained), keras_side.trainable_variables)
        for variable, parameter in zip(keras_side.trainable_variables, trained, strict=True):
            yield _pair_of_layer(torch_side, variable, parameter)
    elif isinstance(keras_side, str) and keras_side not in known:
        raise InvalidValueError.because(
            "a path among the pairs",
            must=f"name a variable that the Keras optimizer trains: {', '.join(known) or 'none, as it has not been built'}",
            but=f"is {keras_side!r}",
            remedy="Use variable.path.",
        )
    else:
        yield _pair_variable(known.get(keras_side) if isinstance(keras_side, str) else keras_side, torch_side)


def pair_layer(keras_layer: Any, module: nn.Module) -> list[Pairing]:
    """Pair the parameters of a layer; also the frozen ones of a recurrent module, such as a second bias.

    Raises:
        GatewiseError: as `pair`.
    """
    if isinstance(module, _RECURRENT):
        return list(_pair_recurrent(keras_layer, module))
    return list(_pair_one((keras_layer, module), {}))


def _pair_of_layer(module: nn.Module, variable: Any, parameter: nn.Parameter) -> Pairing:
    """Pair by the kind of module; in other modules, such as a model of several layers, pair a matrix by shape and values."""
    known = parameter.ndim == 1 or isinstance(module, (nn.Linear, nn.Embedding, nn.Conv1d))
    if parameter.ndim == 2 and not known:
        return _pair_variable(variable, parameter)
    return _checked(variable, parameter, transposes=parameter.ndim > 1 and isinstance(module, (nn.Linear, nn.Conv1d)))


def _pair_variable(variable: Any, parameter: nn.Parameter) -> Pairing:
    """Pair by shape, transposed or not, whichever makes the variable's values equal to the parameter's."""
    shape, other = tuple(variable.shape), tuple(parameter.shape)
    ways = [transposes for transposes, fits in ((False, shape), (True, shape[::-1])) if fits == other]
    if len(shape) != 2:
        ways = ways[:1] if shape == other else []
    if not ways:
        raise _misfit(variable, f"be paired with a parameter of its shape {shape}, transposed or not", f"meets {other}")
    values = parameter.detach().cpu().numpy()
    right = [way for way in ways if np.allclose(_transposed(to_numpy(variable), way), values)]
    if not right:
        raise _misfit(variable, "hold the values of its parameter", "holds others, or the same ones in another gate order")
    return _checked(variable, parameter, transposes=right[0])


def _checked(variable: Any, parameter: nn.Parameter, *, transposes: bool) -> Pairing:
    shape = tuple(variable.shape)
    if (shape[::-1] if transposes else shape) != tuple(parameter.shape):
        raise _misfit(variable, f"fit its parameter of shape {tuple(parameter.shape)}", f"has shape {shape}")
    return Pairing(parameter, variable, lambda array: _transposed(array, transposes), transposes)


def _transposed(array: Array, transposes: bool) -> Array:  # noqa: FBT001 - the name says it
    return array.T if transposes else array


def _pair_recurrent(keras_layer: Any, module: nn.Module) -> Iterator[Pairing]:
    """Pair by the layout tables; if Keras has one bias, both torch biases are paired with it."""
    adapter: Any = registry.adapt(module)
    spec, other = registry.adapt(keras_layer).spec, adapter.spec
    differing = [each.name for each in fields(spec) if getattr(spec, each.name) != getattr(other, each.name)]
    if differing:
        raise InvalidValueError.because(
            "a layer and its module",
            must="compute the same",
            but=f"differ: {', '.join(f'{name} is {getattr(spec, name)!r} and {getattr(other, name)!r}' for name in differing)}",
            remedy="Pair each layer with the module that has its weights.",
        )
    cells = take_apart(keras_layer).cells
    ours, theirs = KERAS.parts(spec), PYTORCH.parts(spec)
    for layer, directions in enumerate(cells):
        for direction, cell in enumerate(directions):
            parameters = dict(adapter._parameters(layer, direction))
            for part, stored in theirs.items():
                source = ours.get(part, ours["bias"] if "bias" in part else stored)
                carry = _carrying(spec, layer, source, stored, part)
                yield Pairing(parameters[stored.name], getattr(cell, source.name), carry, transposes="bias" not in part)


def _carrying(spec: Any, layer: int, source: Stored, target: Stored, part: str) -> Callable[[Array], Array]:
    shape = PYTORCH.shapes(spec, layer)[target.name]

    def carry(array: Array) -> Array:
        given = KERAS.views({source.name: np.ascontiguousarray(array)}, spec, layer)
        gates = KERAS.gates[spec.cell]
        result = np.empty(shape, array.dtype)
        view = PYTORCH.views({target.name: result}, spec, layer)[part]
        for gate, row in zip(PYTORCH.gates[spec.cell], view, strict=True):
            row[...] = given.get(part, given.get("bias"))[gates.index(gate)]  # type: ignore[index]
        return result

    return carry


def _require_count(count: int, variables: Iterable[Any]) -> None:
    paths = [variable.path for variable in variables]
    if count != len(paths):
        raise InvalidValueError.because(
            "the parameters",
            must=f"be as many as the variables that Keras trains, {len(paths)}: {', '.join(paths)}",
            but=f"are {count}",
            remedy="Pair recurrent layers as a whole: [(keras_layer, torch_module), ...].",
        )


def _misfit(variable: Any, must: str, but: str) -> GatewiseError:
    return InvalidValueError.because(
        f"the variable {variable.path}",
        must=must,
        but=but,
        remedy="Copy the weights first, pass the parameters in the order of Keras's trainable variables, and pair recurrent "
        "layers as a whole: [(keras_layer, torch_module), ...].",
    )
