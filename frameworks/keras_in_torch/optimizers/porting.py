"""From a Keras optimizer to the torch optimizer that continues its training: settings, schedule, slots and step count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from frameworks.errors import GatewiseError, InvalidValueError, NoCounterpartError
from frameworks.keras.tensors import to_numpy
from frameworks.keras_in_torch.optimizers.fates import FATES, Fate
from frameworks.keras_in_torch.optimizers.keras_optimizer import KerasOptimizer, Pairing
from frameworks.keras_in_torch.optimizers.pairing import pair
from frameworks.keras_in_torch.optimizers.rounding import Arithmetic
from frameworks.keras_in_torch.optimizers.schedules import Schedule, ScheduleLR, schedule_of
from frameworks.keras_in_torch.optimizers.wrapping import Wrapping

_AROUND = {"average": "_model_variables_moving_average", "gradient_accumulator": "_accumulated_gradients"}
_STOCK_SLOTS: Mapping[str, str] = {"square_avg": "accumulated_grad", "acc_delta": "accumulated_delta_var"}


def optimizer_like(keras_optimizer: Any, parameters: Any) -> torch.optim.Optimizer:
    """Return the torch optimizer that continues the training of a Keras optimizer, see `frameworks.optimizer_like`."""
    kind, fate = _fate_of(keras_optimizer)
    variables = list(keras_optimizer._trainable_variables) if keras_optimizer.built else None
    pairings = pair(parameters, variables)
    _require_unconstrained(pairings)
    import_path = f"frameworks.keras_in_torch.optimizers.{(fate.rule or '').partition('.')[0]}"
    rule: type[KerasOptimizer] = getattr(import_module(import_path), kind)
    arithmetic = _arithmetic()
    rate, schedule = _learning_rate(keras_optimizer, arithmetic)
    settings = _settings(keras_optimizer, rule)
    _require_whole(pairings, kind, settings)
    if schedule is None and _is_stock(fate, settings):
        return _stock(kind, settings, rate, pairings, keras_optimizer)
    groups = _groups(pairings, keras_optimizer, settings["weight_decay"])
    optimizer = rule(groups, lr=rate, schedule=schedule, arithmetic=arithmetic, **settings)
    if variables is not None:
        _carry(keras_optimizer, optimizer, pairings)
    return optimizer


def schedule_like(keras_schedule: Any, torch_optimizer: torch.optim.Optimizer) -> ScheduleLR:
    """Return the torch scheduler that follows a Keras schedule, see `frameworks.schedule_like`."""
    if getattr(torch_optimizer, "schedule", None) is not None:
        raise InvalidValueError.because(
            "the optimizer",
            must="leave its learning rate to the scheduler",
            but="already follows a schedule",
            remedy="Use it without a scheduler, or make it from a Keras optimizer with a constant learning rate.",
        )
    return ScheduleLR(torch_optimizer, schedule_of(keras_schedule, _arithmetic().schedule_dtype))


def _fate_of(optimizer: Any) -> tuple[str, Fate]:
    kind = type(optimizer)
    fate = FATES.get(kind.__name__)
    if fate is None or not kind.__module__.startswith("keras.src."):
        raise NoCounterpartError.because(
            "the optimizer",
            must=f"be one of Keras 3's own: {', '.join(name for name, one in FATES.items() if one.rule)}",
            but=f"is a {kind.__name__} of {kind.__module__}",
            remedy="Derive from frameworks.keras_in_torch.optimizers.keras_optimizer.KerasOptimizer and write its `update`.",
        )
    if fate.rule is None:
        why, remedy = fate.refused
        raise NoCounterpartError.because(f"keras.optimizers.{kind.__name__}", must="be of one rule", but=why, remedy=remedy)
    return kind.__name__, fate


def _arithmetic() -> Arithmetic:
    keras = import_module("keras")
    return Arithmetic(keras.config.backend(), keras.config.floatx())


def _settings(optimizer: Any, rule: type[KerasOptimizer]) -> dict[str, Any]:
    """Return the optimizer's whole configuration except the learning rate; raise an error for unknown settings."""
    config = {name: value for name, value in optimizer.get_config().items() if name not in ("name", "learning_rate")}
    known = {"weight_decay", *rule.SETTINGS, *Wrapping.__dataclass_fields__}
    if config.keys() - known:
        raise NoCounterpartError.because(
            f"the settings of keras.optimizers.{rule.__name__}",
            must=f"be among {', '.join(sorted(known))}",
            but=f"hold {', '.join(sorted(config.keys() - known))}",
            remedy="This version of Keras has settings that are not known here: use the pinned version.",
        )
    return config


def _learning_rate(optimizer: Any, arithmetic: Arithmetic) -> tuple[float, Schedule | None]:
    rate = optimizer._learning_rate
    if hasattr(rate, "get_config"):
        schedule = schedule_of(rate, arithmetic.schedule_dtype)
        return schedule(int(to_numpy(optimizer._iterations))), schedule
    if callable(rate):
        raise NoCounterpartError.because(
            "the learning rate",
            must="be a number or one of Keras's schedules",
            but=f"is the function {getattr(rate, '__name__', rate)}",
            remedy="Make the optimizer with a number, and pass the function to torch.optim.lr_scheduler.LambdaLR.",
        )
    return float(to_numpy(rate)), None


def _is_stock(fate: Fate, settings: Mapping[str, Any]) -> bool:
    off = {"weight_decay", *Wrapping.__dataclass_fields__} - {"ema_momentum"}
    return fate.stock is not None and not any(settings[name] for name in (*off, *fate.stock))


def _stock(kind: str, settings: Mapping[str, Any], rate: float, pairings: list[Pairing], source: Any) -> torch.optim.Optimizer:
    """Return the torch optimizer of that name, which follows Keras's rule exactly with these settings."""
    params = [pairing.parameter for pairing in pairings]
    if kind == "SGD":
        return torch.optim.SGD(params, lr=rate, foreach=True)
    optimizer = torch.optim.Adadelta(params, lr=rate, rho=settings["rho"], eps=settings["epsilon"], foreach=True)
    rule: type[KerasOptimizer] = import_module("frameworks.keras_in_torch.optimizers.rules").Adadelta
    for pairing in pairings if source.built else ():
        slots = _slots(source, rule.SLOTS, pairing)
        state = {name: _tensor_like(pairing.carry(slots[slot]), pairing.parameter) for name, slot in _STOCK_SLOTS.items()}
        optimizer.state[pairing.parameter] = {"step": torch.tensor(float(to_numpy(source._iterations))), **state}
    return optimizer


def _groups(pairings: list[Pairing], optimizer: Any, weight_decay: float | None) -> list[dict[str, Any]]:
    """Return a parameter group, and a second one for parameters that Keras excludes from weight decay."""
    decayed: list[Any] = []
    spared: list[Any] = []
    excludes = getattr(optimizer, "_exclude_from_weight_decay", None) or getattr(
        optimizer, "_exclude_from_weight_decay_pattern", None
    )
    for pairing in pairings:
        if weight_decay is None or not excludes:
            decayed.append(pairing.parameter)
            continue
        if pairing.variable is None:
            raise _unbuilt("exclude_from_weight_decay")
        # On TensorFlow, Keras matches the name of the backend's variable, which differs from that of the Keras variable.
        variable = pairing.variable.value if hasattr(pairing.variable.value, "assign") else pairing.variable
        (decayed if optimizer._use_weight_decay(variable) else spared).append(pairing.parameter)
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": spared, "weight_decay": None}]
    return [group for group in groups if group["params"]]


def _carry(source: Any, optimizer: KerasOptimizer, pairings: list[Pairing]) -> None:
    for pairing in pairings:
        slots = optimizer.carried(_slots(source, optimizer.SLOTS, pairing), pairing)
        slots |= {name: pairing.carry(slot) for name, slot in _slots(source, _AROUND, pairing).items()}
        optimizer.state[pairing.parameter] = {name: _tensor_like(slot, pairing.parameter) for name, slot in slots.items()}
    for group in optimizer.param_groups:
        group["iterations"] = int(to_numpy(source._iterations))
        if hasattr(source, "_u_product"):
            group["u_product"] = float(to_numpy(source._u_product))


def _slots(source: Any, attributes: Mapping[str, str], pairing: Pairing) -> dict[str, Any]:
    index = next(at for at, one in enumerate(source._trainable_variables) if one is pairing.variable)
    by_name = {name: getattr(source, attribute, None) for name, attribute in attributes.items()}
    return {name: to_numpy(slots[index]) for name, slots in by_name.items() if slots}


def _require_unconstrained(pairings: list[Pairing]) -> None:
    for pairing in pairings:
        if getattr(pairing.variable, "constraint", None) is not None:
            raise NoCounterpartError.because(
                f"the constraint of {pairing.variable.path}",
                must="be None",
                but=f"is {type(pairing.variable.constraint).__name__}, which Keras applies after each step",
                remedy="Apply it to the parameter yourself after each step, and leave it out here.",
            )


def _require_whole(pairings: list[Pairing], kind: str, settings: Mapping[str, Any]) -> None:
    """Raise an error for variables that torch splits (biases) or transposes (windows) if the rule needs the whole variable."""
    for pairing in pairings:
        if kind == "Adafactor" and pairing.transposes and pairing.parameter.ndim > 2:
            raise NoCounterpartError.because(
                f"the variable {pairing.variable.path} under keras.optimizers.Adafactor",
                must="be a matrix, since Adafactor keeps means over the last two axes",
                but=f"has shape {tuple(pairing.variable.shape)}, whose last two axes are different ones in torch",
                remedy="Choose an optimizer that works element by element, such as Adam.",
            )
    shares: dict[int, list[Pairing]] = {}
    for pairing in pairings:
        shares.setdefault(id(pairing.variable), []).append(pairing)
    for share in shares.values():
        variable = share[0].variable
        if variable is None or len(share) == 1:
            continue
        whole = sum(pairing.parameter.numel() for pairing in share) == math.prod(variable.shape)
        if kind in ("Adafactor", "Lamb") or settings["clipnorm"] or (settings["global_clipnorm"] and not whole):
            raise NoCounterpartError.because(
                f"the variable {variable.path} under keras.optimizers.{kind}",
                must="be one parameter, since its norm or mean is taken over the whole",
                but=f"is {len(share)} parameters",
                remedy="Freeze bias_hh of nn.LSTM and nn.RNN; for nn.GRU choose an optimizer and clipping that work element by "
                "element.",
            )


def _unbuilt(what: str) -> GatewiseError:
    return InvalidValueError.because(
        "the Keras optimizer",
        must=f"be built before {what} can be followed",
        but="has no variables yet",
        remedy="Call optimizer.build(model.trainable_variables), or pass pairs of variables and parameters.",
    )


def _tensor_like(array: npt.NDArray[Any], parameter: torch.Tensor) -> torch.Tensor:
    """Return a copy of an array as a tensor of the parameter's dtype and device."""
    return torch.tensor(np.ascontiguousarray(array), dtype=parameter.dtype, device=parameter.device)
