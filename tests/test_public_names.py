"""`import gatewise` has every public name.

Covers: `compare/facade`.
"""

import sys
from collections import Counter
from importlib import import_module
from itertools import chain

import pytest

import compare
import frameworks.files
import gatewise

if sys.version_info >= (3, 11):
    pass
else:
    pass


def test_only_one_name_is_public_twice() -> None:
    names = {package: import_module(package).__all__ for package in gatewise.PACKAGES}
    assert sorted(names) == ["compare", "frameworks", "frameworks.files", "frameworks.models"]
    twice = [name for name, times in Counter(chain.from_iterable(names.values())).items() if times > 1]
    assert twice == ["Checkpoint"]
    assert gatewise.Checkpoint is frameworks.files.Checkpoint
    assert gatewise.TrainingCheckpoint is compare.TrainingCheckpoint is compare.Checkpoint


def test_gatewise_has_every_public_name_and_no_other() -> None:
    public = {name for package in gatewise.PACKAGES for name in import_module(package).__all__}
    starred: dict[str, object] = {}
    exec("from gatewise import *", starred)  # noqa: S102  as users write it
    assert starred.keys() - {"__builtins__"} == public | {"__version__"}
    assert public <= set(dir(gatewise))
    for name in public - {"Checkpoint"}:
        homes = [import_module(package) for package in gatewise.PACKAGES if name in import_module(package).__all__]
        assert getattr(gatewise, name) is getattr(homes[0], name)
    with pytest.raises(AttributeError, match="module 'gatewise' has no attribute 'convrt'"):
        gatewise.convrt  # type: ignore[attr-defined] # noqa: B018
