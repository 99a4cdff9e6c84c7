"""The tables agree with the frameworks' own classes, in each installed version.

Covers: `frameworks/kinds`.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np
import pytest

from frameworks.kinds import ANY_AXES, KERAS, PYTORCH, Dated, Kind, Masks, Option, permutation

SIZES = {
    "index": 11,
    "output": 6,
    "input": 4,
    "features": 5,
    "kernel steps": 3,
    "kernel rows": 2,
    "kernel columns": 7,
    "kernel depth": 8,
    "multiplier": 9,
    "product": 36,
    "one steps": 1,
    "one rows": 1,
    "one columns": 1,
    "query features": 6,
    "key features": 10,
    "value features": 12,
    "heads": 13,
    "key size": 14,
    "value size": 15,
    "four times output": 24,
}
"""Almost all different, and even because of `groups=2`; the heads of attention return what they ask for."""

NEEDED: dict[str, Any] = {
    **dict.fromkeys(("units", "filters", "input_dim", "output_dim"), 3),
    **dict.fromkeys(("kernel_size", "n", "height", "width", "target_height", "target_width", "output_size", "max_number"), 2),
    **dict.fromkeys(("num_heads", "key_dim", "head_dim", "num_query_heads", "num_key_value_heads"), 2),
    **dict.fromkeys(("rate", "stddev", "factor", "scale"), 0.5),
    **dict.fromkeys(("target_shape", "output_shape"), (3,)),
    "dims": (1,),
    "equation": "ab,bc->ac",
    "activation": "relu",
}
"""The arguments that constructors require."""


@pytest.fixture(params=["keras", "tf_keras"])
def library(request: pytest.FixtureRequest) -> Any:
    return import_module(request.param)


def version_of(library: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in library.__version__.split(".")[:2])


def classes_of(library: Any) -> dict[str, Any]:
    """Return the layers of a library by the names that its files have for them."""
    values = [getattr(library.layers, name) for name in dir(library.layers)]
    return {each.__name__: each for each in values if inspect.isclass(each) and issubclass(each, library.layers.Layer)}


def made(kind: Any, **options: Any) -> Any:
    """Build a layer from the arguments that it requires; return None if it requires another layer or a file."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    needed = {each.name for each in parameters if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD}
    if not needed <= NEEDED.keys():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return kind(**{name: NEEDED[name] for name in needed}, **options)
        except (ValueError, TypeError, ImportError):
            return None


def test_every_kind_of_keras_has_the_name_of_a_class() -> None:
    libraries = [import_module(name) for name in ("keras", "tf_keras")]
    known = {name for library in libraries for name in classes_of(library)} | {"Sequential", "Model", "Functional"}
    assert set(KERAS.kinds) <= known
    assert "GroupQueryAttention" not in known  # the control: a public name that files never have


def test_kinds_with_the_name_of_an_operation_are_marked() -> None:
    from keras.src import ops
    from keras.src.ops.operation import Operation

    modules = [import_module(f"keras.src.ops.{each.name}") for each in iter_modules(ops.__path__) if "test" not in each.name]
    classes = [each for module in modules for each in vars(module).values() if inspect.isclass(each)]
    names = {each.__name__ for each in classes if issubclass(each, Operation)}
    assert {kind.name for kind in KERAS if kind.operation} == names & KERAS.kinds.keys() != set()


def test_every_kind_of_torch_has_the_name_of_a_class() -> None:
    from torch import nn

    families = {"BatchNorm", "InstanceNorm"}  # ONNX does not state the number of dimensions
    assert {kind.name for kind in PYTORCH if not hasattr(nn, kind.name)} == families


def wrong_defaults(kind: Kind, constructor: Any, version: tuple[int, ...]) -> Iterator[str]:
    """Return the options that the constructor lacks or that have another default there."""
    parameters = inspect.signature(constructor).parameters
    for option in kind.options:
        name = option.formerly if option.name not in parameters else option.name
        if name not in parameters:
            yield option.name
        elif not option.required and (not option.sizes or option.default is not None):
            said, default = parameters[name].default, kind.default(option.name, version)
            if said != default and (not isinstance(said, tuple) or set(said) != {default}):
                yield option.name


def test_defaults_are_those_of_torch() -> None:
    from torch import nn

    wrong = {kind.name: set(wrong_defaults(kind, getattr(nn, kind.name), ())) for kind in PYTORCH if hasattr(nn, kind.name)}
    assert {name: options for name, options in wrong.items() if options} == {}


@pytest.mark.parametrize(
    "option",
    [Option("epsilon", 1e-5), Option("axis", 1), Option("rms", default=False), Option("epsilon", Dated(1e-3, (((3,), 1e-5),)))],
)
def test_a_wrong_default_is_detected(option: Option) -> None:
    import keras

    kind = replace(KERAS.get("LayerNormalization"), options=(option,))
    assert list(wrong_defaults(kind, keras.layers.LayerNormalization, (3, 15))) == [option.name]


def options_of(kind: Kind) -> dict[str, Any]:
    """Return options that give a layer all arrays of its kind, with the sizes in this module."""
    switches = {array.option: array.given for array in kind.arrays or () if array.option and array.option != "use_gate"}
    return {**kind.stated_sizes(SIZES), **switches}


def built(kind: Kind, library: Any, **options: Any) -> Any:
    """Build a Keras layer on inputs with the sizes in this module."""
    groups = {"groups": 1} if kind.option("groups") and kind.default("groups") != 1 else {}
    layer = getattr(library.layers, kind.name)(**{**options_of(kind), **groups, **options})
    reads = kind.reads or (("features",),)
    shapes = [(2, *(SIZES.get(str(axis), 9) for axis in each if axis != ANY_AXES)) for each in reads]
    if any(array.path for array in kind.arrays or ()):
        layer(*(library.Input(shape[1:]) for shape in shapes))  # it takes its inputs one by one
    else:
        layer.build(shapes if len(shapes) > 1 else shapes[0])
    return layer


def names_of(layer: Any, kind: Kind) -> list[str]:
    """Return the names of a layer's arrays, in the order of files."""
    names = []
    for weight in layer.weights:
        outer, _, own = getattr(weight, "path", weight.name).partition(":")[0].rpartition("/")
        names.append(next((each.name for each in kind.arrays or () if own == each.also), own))
        if any(array.path for array in kind.arrays or ()):
            names[-1] = f"{outer.rpartition('/')[2]}_{own}"
    return names


def test_arrays_are_those_of_keras_in_order_and_by_axis(library: Any) -> None:
    for kind in KERAS:
        if not kind.arrays:
            continue
        if not hasattr(library.layers, kind.name):
            continue
        layer = built(kind, library)
        sizes = {**SIZES, "input of a group": SIZES["input"]}
        expected = [
            (array.name, tuple(sizes[axis] for axis in array.axes if axis != ANY_AXES), array.trained)
            for array in kind.arrays_with(options_of(kind)) or ()
        ]
        trained = {id(each) for each in layer.trainable_weights}
        shapes = [tuple(each.shape) for each in layer.weights]
        actual = list(zip(names_of(layer, kind), shapes, [id(each) in trained for each in layer.weights], strict=True))
        assert actual == expected, kind.name


def test_an_array_is_absent_without_its_option(library: Any) -> None:
    for kind in KERAS:
        for array in kind.arrays or ():
            if array.option and array.option != "use_gate":
                off = {array.option: array.given is not True and kind.default(array.option)}
                expected = [each.name for each in kind.arrays_with({**options_of(kind), **off}) or ()]
                assert array.name not in expected
                assert names_of(built(kind, library, **off), kind) == expected, kind.name


def test_arrays_are_those_of_torch_in_order_and_by_axis() -> None:
    from torch import nn

    sizes = {**SIZES, "input of a group": SIZES["input"]}
    for kind in PYTORCH:
        if not kind.arrays or not kind.means or not hasattr(nn, kind.name):
            continue
        module = getattr(nn, kind.name)(**kind.stated_sizes(SIZES))
        expected = [(array.name, tuple(sizes[axis] for axis in array.axes if axis != ANY_AXES)) for array in kind.arrays]
        assert [(name, tuple(tensor.shape)) for name, tensor in module.state_dict().items()] == expected, kind.name
        assert {array.name for array in kind.arrays if array.trained} == {name for name, _ in module.named_parameters()}


def test_a_grouped_convolution_reads_more_channels_than_its_kernel_shows() -> None:
    from torch import nn

    weight = nn.Conv1d(SIZES["input"], SIZES["output"], 3, groups=2).weight
    sizes = PYTORCH.get("Conv1d").sizes({"weight": tuple(weight.shape)}, groups=2)
    assert sizes is not None
    assert sizes["input"] == SIZES["input"]
    assert sizes["input of a group"] == SIZES["input"] / 2


def test_a_kind_of_torch_and_its_kind_in_keras_have_the_same_elements() -> None:
    import keras
    from torch import nn

    for kind in PYTORCH:
        if not kind.means or not hasattr(nn, kind.name):
            continue
        partner = KERAS.get(kind.means)
        state = getattr(nn, kind.name)(**kind.stated_sizes(SIZES)).state_dict()
        arrays = {each.name: np.asarray(keras.ops.convert_to_numpy(each)) for each in built(partner, keras).weights}
        assert {array.means for array in kind.arrays or () if array.means} == set(arrays)
        for array in kind.arrays or ():
            own = partner.array(array.means)
            if own is not None:
                axes = permutation(own, array) or range(arrays[own.name].ndim)
                assert arrays[own.name].transpose(axes).shape == tuple(state[array.name].shape)
        assert {option.means for option in kind.options if option.means} <= {option.name for option in partner.options}


def wrong_masks(library: Any, rules: dict[str, Masks]) -> set[str]:
    """Return the layers without their own rule for masks whose rule here contradicts `supports_masking`."""
    plain = library.layers.Layer.compute_mask
    layers = {name: made(kind) for name, kind in classes_of(library).items() if kind.compute_mask is plain}
    assert len([layer for layer in layers.values() if layer is not None]) > 60  # most of them can be made
    return {
        name
        for name, layer in layers.items()
        if layer is not None and bool(layer.supports_masking) != (rules.get(name) is Masks.KEEP)
    }


def test_masks_are_passed_on_by_the_same_layers_as_in_keras(library: Any) -> None:
    rules = {kind.name: kind.masks_at(version_of(library)) for kind in KERAS}
    assert wrong_masks(library, rules) == set()
    assert wrong_masks(library, {**rules, "Dropout": Masks.DROP, "Conv1D": Masks.KEEP}) == {"Dropout", "Conv1D"}


def test_a_layer_with_its_own_rule_for_masks_passes_them_on_as_listed(library: Any) -> None:
    kinds, version, tensor = library.layers, version_of(library), np.ones((2, 3, 4), "float32")
    mask, other = np.array([[True, True, False]] * 2), np.array([[True, False, False]] * 2)
    for kind in KERAS:
        rule = kind.masks_at(version)
        if rule in (Masks.ANY, Masks.ALL):
            layer = getattr(kinds, kind.name)()
            both = [as_tensor(library, tensor)] * 2
            passed_on = layer.compute_mask(both, [None, as_tensor(library, other)])
            assert (passed_on is not None) == (rule is Masks.ANY), kind.name
            assert layer.compute_mask(both, [as_tensor(library, mask), as_tensor(library, other)]) is not None
    assert kinds.Embedding(3, 2).compute_mask(np.ones((2, 3), "int32")) is None
    assert kinds.Embedding(3, 2, mask_zero=True).compute_mask(as_tensor(library, np.ones((2, 3), "int32"))) is not None
    for name in ("Attention", "AdditiveAttention"):
        pair = [as_tensor(library, tensor)] * 2
        assert KERAS.get(name).masks_at(version) is Masks.KEEP
        assert getattr(kinds, name)().compute_mask(pair, [as_tensor(library, mask), None]) is not None
        assert getattr(kinds, name)().compute_mask(pair, [None, as_tensor(library, mask)]) is None


def as_tensor(library: Any, array: Any) -> Any:
    if hasattr(library, "ops"):
        return library.ops.convert_to_tensor(array)
    import tensorflow as tf

    return tf.constant(array)
