"""A row says everything that the project asks of a framework, and the modules that it names provide what they must."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest

from frameworks import RecurrentSpec, adapt
from frameworks.adapter import Adapter, FlaggedAdapter
from frameworks.errors import InvalidValueError, NoCounterpartError
from frameworks.files import open_checkpoint, save_checkpoint
from frameworks.protocols import BuilderModule, FlaggedModule, FrameworkModule, LayerModule, PortingModule
from frameworks.registry import has_flags
from frameworks.rows import FRAMEWORKS, FrameworkName, owner_of, row_of
from frameworks.spec import CellName

pytestmark = pytest.mark.frameworks

INPUT, HIDDEN = 5, 7


def named_modules() -> Iterator[tuple[str, type]]:
    """Yield each module that a row names, with a Protocol that it must implement."""
    for row in FRAMEWORKS:
        yield row.layers.module, FrameworkModule
        for layers in (row.layers, *row.emulations.values()):
            yield layers.module, LayerModule
            if layers.has_flags:
                yield layers.module, FlaggedModule
        for layers in row.emulations.values():
            yield f"{layers.module}.porting", PortingModule
        yield row.builder, BuilderModule


def broken(module: Any, protocol: type) -> list[str]:
    """Return the functions of a Protocol that a module lacks, or that cannot be called as the Protocol declares."""
    members = {name: member for base in protocol.__mro__ for name, member in vars(base).items()}
    wanted = {name: member for name, member in members.items() if inspect.isfunction(member) and not name.startswith("_")}
    assert wanted
    return [name for name, member in wanted.items() if not can_be_called_as(getattr(module, name, None), member)]


def can_be_called_as(function: Any, member: Callable[..., Any]) -> bool:
    _, *parameters = inspect.signature(member).parameters.values()
    positional = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    keywords = {each.name: None for each in parameters if each.kind is each.KEYWORD_ONLY}
    if not callable(function):
        return False
    try:
        for count in {len(positional), sum(each.default is each.empty for each in positional)}:
            inspect.signature(function).bind(*[None] * count, **keywords)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize(("module", "protocol"), list(named_modules()), ids=lambda each: getattr(each, "__name__", each))
def test_a_module_provides_what_its_row_promises(module: str, protocol: type) -> None:
    assert broken(import_module(module), protocol) == []


def test_a_module_that_breaks_the_promise_is_caught() -> None:
    whole = SimpleNamespace(adapt=lambda native: None, build=lambda spec, seed=None: None, build_like=lambda source: None)
    assert broken(whole, FrameworkModule) == []
    assert broken(import_module("frameworks.pytorch"), FlaggedModule) == ["describe", "parts", "call_whole"]
    whole.build = lambda spec: None
    assert broken(whole, FrameworkModule) == ["build"]
    del whole.adapt
    assert sorted(broken(whole, FrameworkModule)) == ["adapt", "build"]


@pytest.mark.backend
@pytest.mark.parametrize("name", ["keras", "pytorch"])
def test_an_adapter_hands_out_the_gates_in_the_order_of_its_row_s_table(name: FrameworkName) -> None:
    from frameworks import build

    for cell in get_args(CellName):
        adapter = build(name, RecurrentSpec(cell, INPUT, HIDDEN))
        assert adapter.read(0, 0).gates == row_of(name).layout.gates[cell]
    assert row_of("keras").layout.gates["gru"] != row_of("pytorch").layout.gates["gru"]


def natives() -> dict[str, tuple[Any, str | None, bool]]:
    """Make layers, and return each with the framework that owns it and whether it has flags."""
    import keras
    import torch

    from frameworks.emulation.keras import TorchGRU
    from frameworks.emulation.pytorch import KerasGRU

    lstm = keras.layers.LSTM(HIDDEN)
    lstm.build((None, None, INPUT))
    return {
        "Keras": (lstm, "keras", True),
        "torch": (torch.nn.GRU(INPUT, HIDDEN), "pytorch", False),
        "torch in Keras": (TorchGRU(INPUT, HIDDEN), "keras", False),
        "Keras in torch": (KerasGRU(HIDDEN), "pytorch", True),
        "an adapter": (adapt(torch.nn.GRU(INPUT, HIDDEN)), None, False),
        "a number": (3, None, False),
    }


@pytest.mark.backend
def test_a_row_owns_what_is_made_of_its_classes_or_written_in_them() -> None:
    for name, (native, owner, flags) in natives().items():
        found = owner_of(native)
        assert (None if found is None else found.name) == owner, name
        assert has_flags(native) is flags, name
    assert has_flags([natives()["Keras"][0]])


@pytest.mark.backend
def test_adapters_of_layers_with_flags_can_be_called_with_them() -> None:
    import torch

    members = {*vars(FlaggedAdapter), *vars(Adapter)}
    assert "call" in members
    for name, (native, _, flags) in natives().items():
        if name in ("Keras", "Keras in torch", "torch"):
            if name == "Keras in torch":
                native(torch.zeros(1, 2, INPUT))
            assert callable(getattr(adapt(native), "call", None)) is flags


# Every public `to`

PUBLIC = ("frameworks", "frameworks.files", "frameworks.counterparts", "frameworks.emulation", "compare", "compare.training")
SPEC = RecurrentSpec("gru", INPUT, HIDDEN)
BEFORE = RecurrentSpec("gru", INPUT, HIDDEN, reset_after=False)


def kind_of(native: Any) -> str:
    return f"{type(native).__module__}.{type(native).__qualname__}"


def gru() -> Any:
    return import_module("torch").nn.GRU(INPUT, HIDDEN)


def keras_gru() -> Any:
    layer = import_module("keras").layers.GRU(HIDDEN)
    layer.build((None, None, INPUT))
    return layer


def message_of(refusing: Callable[[], object]) -> str:
    with pytest.raises(NoCounterpartError) as caught:
        refusing()
    return str(caught.value)


MODULE = "torch.nn.modules.rnn.GRU"
TAKES_TO: dict[str, tuple[Callable[[Any, Any, Any], object], object]] = {
    "frameworks.build": (lambda build, to, _: kind_of(build(to=to, spec=SPEC).native), MODULE),
    "frameworks.convert": (lambda convert, to, _: kind_of(convert(gru(), to=to)), MODULE),
    "frameworks.emulate": (lambda emulate, to, _: type(emulate(keras_gru(), to=to)).__name__, "KerasGRU"),
    "frameworks.files.StoredLayer.convert": (lambda convert, to, stored: kind_of(convert(stored, to=to)), MODULE),
    "frameworks.files.StoredLayer.emulate": (lambda emulate, to, stored: kind_of(emulate(stored, to=to)), MODULE),
    "frameworks.counterparts.find_limits": (lambda find, to, _: [limit.to for limit, _ in find(BEFORE, to=to)], ["pytorch"]),
    "frameworks.counterparts.require_counterpart": (
        lambda require, to, _: message_of(lambda: require(BEFORE, to=to)).partition(",")[0],
        "reset_after of the GRU must be True to fit pytorch's own nn.GRU",
    ),
}
"""For each function, a call of it, also on a layer in a file, and the expected result."""


def is_public(name: str, member: object) -> bool:
    return inspect.isfunction(member) and not name.startswith("_")


def public_functions() -> Iterator[tuple[str, Any]]:
    for package in PUBLIC:
        module: Any = import_module(package)
        for name in getattr(module, "__all__", ()):
            member = getattr(module, name)
            found = {name: member} if is_public(name, member) else {}
            if inspect.isclass(member):
                found = {f"{name}.{key}": each for key, each in vars(member).items() if is_public(key, each)}
            yield from ((f"{package}.{key}", each) for key, each in found.items())


@pytest.mark.parametrize("name", TAKES_TO)
def test_torch_means_pytorch(name: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "model.npz", {"rnn": gru()})
    stored = open_checkpoint(tmp_path / "model.npz")["rnn"]
    function, (call, expected) = dict(public_functions())[name], TAKES_TO[name]
    assert get_type_hints(function)["to"] == FrameworkName
    assert call(function, "torch", stored) == call(function, "pytorch", stored) == expected
    for unknown in ("Torch", "tensorflow", None):
        with pytest.raises(InvalidValueError, match="must be 'keras' or 'pytorch', but is"):
            call(function, unknown, stored)


def test_no_public_function_that_takes_a_framework_is_left_out() -> None:
    assert {name for name, each in public_functions() if "to" in inspect.signature(each).parameters} == TAKES_TO.keys()
