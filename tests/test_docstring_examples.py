"""Every public name has an example in its docstring, which runs and prints what it says.

Covers: `frameworks`, `compare`.
"""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.frameworks  # all but the test of the section, which the others are found by

PACKAGES = (
    *("frameworks", "frameworks.counterparts", "frameworks.files", "frameworks.models", "compare", "compare.training"),
    *("frameworks.keras_in_torch.layers", "frameworks.torch_in_keras.layers"),
)

WITHOUT: dict[str, tuple[str, ...]] = {
    # A Protocol; the example of train_together has a class that implements it.
    "compare.training": ("Side",),
    # What `frameworks.protocols` asks for; users call it through `frameworks.adapt`, `emulate` and `compare`.
    "frameworks.keras_in_torch.layers": ("adapt", "call_whole", "describe", "parts"),
    "frameworks.torch_in_keras.layers": ("EmulatedAdapter", "adapt", "emulate"),
}
"""Public names that need no example, each with its reason."""


def public(package: str) -> Iterator[tuple[str, Any]]:
    """Yield the functions and classes that a package makes public and that users call."""
    module = import_module(package)
    for name in module.__all__:
        value = getattr(module, name)
        is_error = inspect.isclass(value) and issubclass(value, Exception)
        if (inspect.isfunction(value) or inspect.isclass(value)) and not is_error:
            yield name, value


NAMED = {f"{package}.{name}": value for package in PACKAGES for name, value in public(package)}
EXEMPT = {f"{package}.{name}" for package, names in WITHOUT.items() for name in names}


def example_of(value: Any) -> str:
    """Return the section `Example` of a docstring, "" where it has none."""
    lines = (value.__dict__.get("__doc__") or "").splitlines() if inspect.isclass(value) else (value.__doc__ or "").splitlines()
    text = inspect.cleandoc("\n".join(lines))
    _, heading, section = f"\n{text}".partition("\nExample:\n")
    kept = []
    for line in section.splitlines() if heading else ():
        if line and not line.startswith(" "):
            break
        kept.append(line)
    return inspect.cleandoc("\n".join(kept))


def failures(text: str, names: dict[str, Any]) -> str:
    """Run the statements of an example, and return where the output differs from what the example says."""
    output: list[str] = []
    test = doctest.DocTestParser().get_doctest(text, names, "example", None, 0)
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS).run(test, out=output.append)
    return "".join(output)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the public names, in a folder with a file that examples open: an LSTM of 4 units over 3 features, and a head."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (16, 3), "weight_hh_l0": (16, 4), "bias_ih_l0": (16,), "bias_hh_l0": (16,)}
    arrays: dict[str, Any] = {f"encoder.{name}": rng.uniform(-1, 1, shape).astype("f4") for name, shape in shapes.items()}
    head: dict[str, Any] = {"head.weight": np.ones((2, 4), "f4"), "head.bias": np.zeros(2, "f4")}
    np.savez(tmp_path / "model.npz", **arrays, **head)
    return {name.rpartition(".")[2]: value for name, value in NAMED.items()} | {"np": np}


@pytest.mark.parametrize("name", sorted(NAMED.keys() - EXEMPT))
def test_a_public_name_has_an_example_that_prints_what_it_says(name: str, names: dict[str, Any]) -> None:
    text = example_of(NAMED[name])
    assert ">>> " in text, f"the docstring of {name} has no section `Example`"
    assert not failures(text, names | dict(public(name.rpartition(".")[0])))


def test_a_name_that_has_an_example_is_not_exempt() -> None:
    assert [name for name in sorted(EXEMPT) if name not in NAMED or ">>> " in example_of(NAMED[name])] == []


def test_an_example_that_prints_something_else_fails(names: dict[str, Any]) -> None:
    assert "Got:\n    2" in failures(">>> 1 + 1\n3", names)
    assert "NameError" in failures(">>> unheard_of", names)
    assert not failures(">>> 1 + 1\n2", names)


def test_a_section_after_the_example_does_not_belong_to_it() -> None:
    def documented() -> None:
        """Do nothing.

        Example:
            >>> 1 + 1
            2

        Raises:
            Nothing.
        """

    assert example_of(documented) == ">>> 1 + 1\n2"
    assert not example_of(example_of)
