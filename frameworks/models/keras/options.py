"""The options of a layer, as any version of Keras states them, as arguments of today's class."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, ModuleType
from typing import Any

import keras

from frameworks.activations import ACTIVATIONS
from frameworks.errors import GatewiseError, NoCounterpartError
from frameworks.files.keras.activations import name_of, words_of
from frameworks.files.keras.cells import policy_of
from frameworks.files.keras.config import class_of, config_of
from frameworks.files.keras.version import Version
from frameworks.kinds import KERAS, Kind, kind_of


def refused(subject: str, *, must: str, but: str) -> NoCounterpartError:
    """Return the error for something in a file that Keras 3 cannot have."""
    return NoCounterpartError.because(
        subject,
        must=must,
        but=but,
        remedy="Port to a .weights.h5 file, build the model in Keras with a layer of your own in its place, and load the file"
        " with model.load_weights.",
    )


RENAMED: Mapping[str, str] = MappingProxyType({"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU", "ThresholdedReLU": "ReLU"})
"""Classes that Keras 3 no longer has, and those that compute the same."""

_CLASS_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType({"CuDNNGRU": {"reset_after": True}})
_NEW_NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType({"ThresholdedReLU": {"theta": "threshold"}})

_LEFT_OUT = frozenset(
    (
        *("batch_input_shape", "batch_shape", "input_shape", "input_length", "input_dim", "input_dtype", "batch_size"),
        *("sparse", "ragged", "dynamic", "consume_less", "robust_masking", "softmax_robust_masking", "implementation"),
        *("init", "inner_init", "forget_bias_init", "weights", "trainable"),
    )
)
"""Options that change no result: shapes that the model states itself, ways to compute, initial weights."""

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

_TRAINED_BY: Mapping[str, ModuleType] = MappingProxyType(
    {"initializer": keras.initializers, "regularizer": keras.regularizers, "constraint": keras.constraints}
)


@dataclass
class Arguments:
    """The arguments of today's class.

    Args:
        values: the arguments by name.
        hard_sigmoids: the options that stated Keras 2's hard_sigmoid, and are today's in `values`.
        remarks: what could not be carried over, and does not change predictions.
    """

    values: dict[str, Any] = field(default_factory=dict)
    hard_sigmoids: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def find_class(kind: str, where: str) -> Any:
    """Return today's class of a kind.

    Raises:
        NoCounterpartError: for a class that Keras 3 lacks.
    """
    found = getattr(keras.layers, RENAMED.get(kind, kind), None)
    if not inspect.isclass(found):
        raise refused(where, must="be a layer that Keras 3 has", but=f"is of the class {kind}, which it lacks")
    return found


def construct(kind: str, config: Mapping[str, Any], version: Version, where: str, **changed: Any) -> tuple[Any, Arguments]:
    """Build a layer, without weights.

    Args:
        kind: its class.
        config: the arguments that the file states.
        version: the version of Keras that wrote them.
        where: the layer in messages: "the layer lstm of old.h5".
        **changed: arguments that replace those of the file.

    Raises:
        NoCounterpartError: for a class, or an option with a value, that Keras 3 lacks.
    """
    native = find_class(kind, where)
    arguments = arguments_of(kind, config, version, where, without=changed)
    arguments.values |= changed
    try:
        return native(**arguments.values), arguments
    except (ValueError, TypeError, AttributeError) as error:
        raise refused(
            where,
            must=f"have options that Keras 3's {native.__name__} accepts",
            but=f"Keras raises {type(error).__name__}: {str(error).strip().splitlines()[0][:300]}",
        ) from error


def arguments_of(
    kind: str, config: Mapping[str, Any], version: Version, where: str, *, without: Mapping[str, Any] = MappingProxyType({})
) -> Arguments:
    """Return a layer's options as arguments of today's class.

    Args:
        kind: its class in the file.
        config: the options that the file states.
        version: the version of Keras that wrote them.
        where: the layer in messages.
        without: options that the caller decides.

    Raises:
        NoCounterpartError: for an option that Keras 3 lacks, unless its value changes nothing.
    """
    record, found, accepted = kind_of(kind), Arguments(), _accepted(find_class(kind, where))
    names = {option.formerly: option.name for option in record.options if option.formerly} | dict(_NEW_NAMES.get(kind, {}))
    defaults = {
        option.name: record.default(option.name, version.numbers)
        for option in record.options
        if record.default(option.name, version.numbers) != record.default(option.name) and option.name not in config
    }
    for name, value in {**defaults, **_CLASS_OPTIONS.get(kind, {}), **config}.items():
        new = name if name in accepted else names.get(name, name)
        if new in without or name in without:
            continue
        if new in accepted:
            _carry(new, value, version, where, found)
        elif name == "time_major" and value:
            raise refused(
                f"time_major of {where}", must="be False in Keras 3, whose layers read the batch axis first", but="is True"
            )
        elif (
            name not in _LEFT_OUT and value not in (None, False, [], {}) and not _changes_nothing(record, name, value, version)
        ):
            raise refused(
                f"{name} of {where}", must="be an option of Keras 3", but=f"is {value!r:.100}, and has no counterpart"
            )
    return found


def _changes_nothing(record: Kind, name: str, value: Any, version: Version) -> bool:
    """Return whether a value of an option that Keras 3 lacks is what a layer without the option does."""
    option = next((each for each in (*record.options, *record.further) if each.name == name), None)
    return option is not None and (
        option.use == "nothing" or value in option.only or value == record.default(name, version.numbers)
    )


def _accepted(native: Any) -> frozenset[str]:
    """Return the names of a class's arguments, those of the classes below it included."""
    names: set[str] = set()
    for base in native.__mro__:
        if "__init__" in vars(base):
            parameters = inspect.signature(base.__init__).parameters.values()
            passed_on = [each for each in parameters if each.kind is inspect.Parameter.VAR_KEYWORD]
            names |= {each.name for each in parameters if each.kind in _NAMED}
            if not passed_on:
                break
    if native.__name__.removesuffix("Cell") in ("LSTM", "GRU"):
        names.add("implementation")  # which they take without naming it
    return frozenset(names - {"self", "input_shape", "batch_input_shape", "batch_shape", "layer", "weights"})


def _carry(name: str, value: Any, version: Version, where: str, found: Arguments) -> None:
    """Add one option to the arguments."""
    ending, value = name.rpartition("_")[2], _number(value)
    if name == "dtype":
        found.values |= _policy(value, where)
    elif ending == "activation":
        found.values[name] = _activation(name, value, version, where, found)
    elif ending in _TRAINED_BY:
        _carry_trained_by(name, value, _TRAINED_BY[ending], found)
    elif name == "axis" and isinstance(value, (list, tuple)) and len(value) == 1:
        found.values[name] = value[0]
    else:
        found.values[name] = tuple(value) if isinstance(value, list) else value


def _number(value: Any) -> Any:
    """Return a number that tf_keras wrote as an array without axes; any other value as it is."""
    config = value.get("config") if isinstance(value, Mapping) and value.get("class_name") == "__numpy__" else None
    number = config.get("value") if isinstance(config, Mapping) else getattr(value, "item", lambda: value)()
    return number if isinstance(number, (int, float)) else value


def _policy(value: Any, where: str) -> dict[str, Any]:
    """Return the dtype policy by its name.

    Raises:
        NoCounterpartError: for a policy that is more than a name, such as that of quantized layers.
    """
    name = policy_of({"dtype": value})
    if name in ("", "_infer", "infer"):
        return {}
    kind = value.get("class_name") if isinstance(value, Mapping) else None
    try:
        if kind not in (None, "Policy", "PolicyV1", "DTypePolicy"):
            raise ValueError(kind)  # noqa: TRY301  the same refusal
        return {"dtype": keras.DTypePolicy(name).name}
    except (ValueError, TypeError) as error:
        raise refused(
            f"the dtype policy of {where}",
            must="be one dtype, or mixed_float16 or mixed_bfloat16",
            but=f"is {kind or ''} {name}".replace("  ", " "),
        ) from error


def _activation(option: str, value: Any, version: Version, where: str, found: Arguments) -> Any:
    """Return an activation that Keras 3 has under this name, or a layer that is used as one."""
    name = name_of(value, version)
    if name == "keras2_hard_sigmoid":
        found.hard_sigmoids.append(option)
        return "hard_sigmoid"
    if name in ACTIVATIONS and "(" not in name:
        return name
    if isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
        try:
            kind = class_of(value, where)
            if KERAS.get(kind).activation:
                return construct(kind, config_of(value, where), version, f"the {option} of {where}")[0]
        except GatewiseError:
            pass
    raise refused(f"the {option} of {where}", must="be one that Keras 3 has", but=f"is {words_of(value)}")


def _carry_trained_by(name: str, value: Any, module: ModuleType, found: Arguments) -> None:
    """Add an initialiser, a regulariser or a constraint. They do not change predictions."""
    if value is None:
        found.values[name] = None
        return
    try:
        found.values[name] = _of_module(value, module)
    except (ValueError, TypeError, AttributeError):
        if not name.endswith("initializer"):
            found.remarks.append(f"its {name} is left out: Keras 3 lacks it. Predictions do not depend on it, training does")


def _of_module(value: Any, module: ModuleType) -> Any:
    """Return an object of a module by its name, with those of the stated arguments that it accepts."""
    if not isinstance(value, Mapping):
        return module.get(str(value))
    kind, config = getattr(module, str(value.get("class_name")).rpartition(">")[2], None), value.get("config")
    if not inspect.isclass(kind):
        raise ValueError(value)
    stated = config if isinstance(config, Mapping) else {}
    accepted = inspect.signature(kind.__init__).parameters
    return kind(**dict(_plain(each, stated[each]) for each in accepted if each in stated))


def _plain(name: str, value: Any) -> tuple[str, Any]:
    if not isinstance(value, (bool, int, float, str, type(None))):
        raise TypeError(name)  # such as an initial embedding: the weights replace it
    return name, value


def stated_remarks(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the regularisers and constraints that a config states."""
    for name, value in config.items():
        if value is not None and name.endswith(("_regularizer", "_constraint")):
            yield name
