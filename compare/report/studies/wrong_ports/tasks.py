"""Tasks for whoever, or whatever, writes ports: each right layer of the corpus with its call, as a folder of files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compare.report.studies.wrong_ports.calling import TOLERANCE, call_right
from compare.report.studies.wrong_ports.corpus import Entry

_FRAMEWORKS = {"keras": "Keras", "pytorch": "PyTorch"}
_TEXT = """\
# Port a recurrent layer from {source} to {target}

Write `port.py` in this folder, with a function `port(layer)`. It takes the layer that `right(seed)` returns, for any seed.
It returns the port of this layer to {target}: a layer, a module, a model or a function.

```python
{code}
```

The port is called as `port({arguments})` with {target} tensors:

{shapes}

It must return what the layer itself returns, arrays of these shapes: {returned}.{notes}

It is judged on other weights and inputs, in two calls each. It is right if no number differs by more than {tolerance:g} times
max(1, max |expected|). Of a port that is itself a recurrent layer, only the output sequence is compared.

`right.py` has the code above, `{file}` the layer with the weights of seed 0, and `call.npz` the arguments of a call.
"""
_PACKED = (
    "The inputs are packed by `pack_padded_sequence` with the lengths `mask.sum(1)`, and the output is padded again with zeros."
)


@dataclass(frozen=True, eq=False)
class Task:
    """A layer to be ported, and how it is called.

    Args:
        name: the name of its folder.
        entries: the entries that have this layer and this call; their ports are wrong ones of it.
    """

    name: str
    entries: tuple[Entry, ...]

    @property
    def entry(self) -> Entry:
        """The entry that builds the layer and draws the calls."""
        return self.entries[0]

    @property
    def layer(self) -> str:
        """The constructor of the layer, as text."""
        found = re.search(r"layers? = (.*)", self.entry.source_of("right"))
        return found[1] if found else ""

    @property
    def title(self) -> str:
        """The constructor, and what the layer is called with beside its inputs."""
        given = [name for name in ("mask", "initial_state") if f'"{name}":' in self.entry.source_of("call")]
        return f"{self.layer}, {', '.join(given)}" if given else self.layer

    @property
    def right_source(self) -> str:
        """A module with `right(seed)`, which builds the layer, and `call(seed)`, which draws the arguments of a call."""
        functions = "\n\n\n".join(self.entry.source_of(name) for name in ("right", "call"))
        imports = [
            line
            for line in self.entry.text.splitlines()
            if line.startswith("import ") and re.search(rf"\b{line.split()[-1]}\.", functions)
        ]
        return '"""The layer to be ported, and the arguments of its call."""\n\n' + "\n".join(imports) + f"\n\n\n{functions}\n"


def tasks(entries: Iterable[Entry]) -> tuple[Task, ...]:
    """Return the tasks, one for each layer and call that the entries have; many entries share one."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.source_of("right"), entry.source_of("call")), []).append(entry)
    return tuple(Task(f"task-{number:02}", tuple(group)) for number, group in enumerate(groups.values(), 1))


def write(task: Task, folder: Path) -> None:
    """Write a task into a folder: TASK.md, right.py, the layer with the weights of seed 0, and a sample call.

    Args:
        task: the task.
        folder: the folder, which is made; a port.py that lies in it stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    layer, call = task.entry.right(0), task.entry.call(0)
    (folder / "right.py").write_text(task.right_source)
    file = _save(layer, call["inputs"], folder)
    np.savez(folder / "call.npz", **_flat(call))
    (folder / "TASK.md").write_text(describe(task, call, [array.shape for array in call_right(layer, call)], file))


def describe(task: Task, call: Mapping[str, Any], returned: Iterable[tuple[int, ...]], file: str) -> str:
    """Return what is asked for, as Markdown."""
    source, target = (_FRAMEWORKS[name] for name in task.entry.direction.split("-to-"))
    arguments = ", ".join(["inputs", *(f"{name}={name}" for name in call if name != "inputs")])
    shapes = [f"* `{name}`: {_shape(value)}" for name, value in call.items()]
    notes = [note for note, applies in _notes(source, call, task) if applies]
    return _TEXT.format(
        source=source,
        target=target,
        code=task.right_source.partition("\n\n")[2].rstrip(),
        arguments=arguments,
        shapes="\n".join(shapes),
        returned=", ".join(map(str, returned)),
        notes="".join(f" {note}" for note in notes),
        tolerance=TOLERANCE,
        file=file,
    )


def _notes(source: str, call: Mapping[str, Any], task: Task) -> Iterator[tuple[str, bool]]:
    yield "The layers are called one after the other.", task.layer.startswith("[")
    yield "`initial_state` is in the form that the layer's own call takes.", "initial_state" in call
    yield "`mask` is True at valid steps.", "mask" in call
    yield _PACKED, "mask" in call and source == "PyTorch"


def _shape(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)} arrays {value[0].shape}, {value[0].dtype}"
    return f"{value.shape}, {value.dtype}"


def _flat(call: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in call.items():
        flat |= {f"{name}_{n}": each for n, each in enumerate(value)} if isinstance(value, (list, tuple)) else {name: value}
    return flat


def _save(layer: Any, inputs: Any, folder: Path) -> str:
    """Save a layer in its framework's own format, and return the name of the file."""
    import torch

    if isinstance(layer, torch.nn.Module):
        torch.save(layer.state_dict(), folder / "layer.pt")
        return "layer.pt"
    import keras

    layers = layer if isinstance(layer, list) else [layer]
    keras.Sequential([keras.Input(batch_shape=inputs.shape), *layers]).save(folder / "layer.keras")
    return "layer.keras"
