"""A row names its cells, its package and its gates, and is known without reading a property.

Covers: `frameworks/rows.py`, `frameworks/adapter.py`.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest

from frameworks import KerasOptions, RecurrentSpec, adapt
from frameworks.adapter import is_adapter
from frameworks.errors import NoCounterpartError
from frameworks.layouts import Layout
from frameworks.rows import FRAMEWORKS, FrameworkName, Layers, row_of
from frameworks.spec import CellName


def test_every_name_is_in_the_literal_and_stands_for_one_row() -> None:
    names = [name for row in FRAMEWORKS for name in (row.name, *row.aliases)]
    assert sorted(names) == sorted(get_args(FrameworkName))
    assert len(set(names)) == len(names)
    assert [row_of(name).name for name in get_args(FrameworkName)] == ["keras", "pytorch", "pytorch"]


@pytest.mark.parametrize("row", FRAMEWORKS, ids=lambda row: row.name)
def test_a_row_has_a_name_and_gates_for_each_of_its_cells(row: Any) -> None:
    assert isinstance(row.layout, Layout)
    assert set(row.cells) == set(get_args(CellName))
    assert set(row.layout.gates) >= set(row.cells)
    fields = {*RecurrentSpec.__dataclass_fields__, *KerasOptions.__dataclass_fields__, "dropout between layers"}
    assert row.holds <= fields
    assert row.holds.isdisjoint(limit.field for limit in row.limits)
    assert all(limit.to == row.name and limit.field in fields for limit in row.limits)


def test_a_package_owns_by_its_whole_name() -> None:
    class Native:
        """A class in a package whose name begins with that of another package."""

    for module, owned in (("torch", True), ("torch.nn", True), ("torchvision.ops", False), ("my.torch", False)):
        Native.__module__ = module
        assert Layers("", ("torch",)).include(Native()) is owned


class Unwilling:
    """An object with an adapter's methods, and with properties that raise."""

    get_weights = set_weights = read = write = forward = gradients = lambda self: None

    @property
    def spec(self) -> RecurrentSpec:
        raise NoCounterpartError("cells differ")

    @property
    def native(self) -> Any:
        raise NoCounterpartError("cells differ")


def test_what_has_an_adapter_s_methods_passes_and_none_of_its_properties_is_read() -> None:
    unwilling: Any = Unwilling()
    assert adapt(unwilling) is unwilling
    assert not is_adapter(Unwilling)  # the class is none
    for method in ("get_weights", "set_weights", "read", "write", "forward", "gradients"):
        assert not is_adapter(type("Less", (Unwilling,), {method: None})())
