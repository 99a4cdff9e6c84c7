"""The layers of an architecture from any version of Keras, in order, with the mask of each one's input."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frameworks.files.keras.cells import CLASSES
from frameworks.files.keras.masks import MaskFlow, states_of, tensors_in
from frameworks.files.untrusted.source import damaged, unsupported
from frameworks.kinds import KERAS

Config = Mapping[str, Any]
Locate = Callable[[str, str, int, str], str]
"""A function that returns the place of a layer in the file: (place of its model, class, number within that class, name)."""

MAX_DEPTH = 32
RECURRENT = frozenset({*CLASSES, "RNN", *(kind.name for kind in KERAS if kind.role == "recurrent")})
"""The classes that are read as recurrent layers."""

_LIBRARIES = ("keras", "tf_keras", "tensorflow")


@dataclass(frozen=True)
class Node:
    """A layer of the architecture.

    Args:
        name: the names of the models and wrappers around it, then its own, joined by slashes.
        class_name: its class, without the package.
        config: the arguments of its constructor.
        place: the place of its variables in a file that stores them by class and number.
        home: the place of its variables in a file that Keras 3 writes for the same model.
        top: the name of the outermost model's layer that contains it; older files store its variables under this name.
        trainable: whether it and everything around it are trainable; the order of weights in older files depends on it.
        wrappers: the classes that may run it several times per call, such as TimeDistributed.
        mask: the origin of its input's mask; "" if there is none.
        states: the layers that pass it initial states.
    """

    name: str
    class_name: str
    config: Config
    place: str
    home: str
    top: str
    trainable: bool
    wrappers: tuple[str, ...]
    mask: str
    states: tuple[str, ...] = ()


def walk(model: Config, file: str, locate: Locate, *, keras2: bool) -> list[Node]:
    """Return all layers of a model in order; a model within it is replaced by its layers.

    Args:
        model: the serialised model: class_name and config.
        file: the file's name in messages.
        locate: locates a layer in the file.
        keras2: whether Keras 2 wrote it. Keras 2 passes masks on by other rules.

    Raises:
        GatewiseError: for an invalid architecture.
    """
    outermost = Node("", class_of(model, file), config_of(model, file), "", "", "", trainable=True, wrappers=(), mask="")
    return list(_walk_model(outermost, _Walk(file, locate, keras2), (), 0))


def class_of(entry: Any, file: str) -> str:
    """Return the class of a serialised layer, without its package unless a custom class has the name of a Keras class."""
    name = entry.get("class_name") if isinstance(entry, Mapping) else None
    if not isinstance(name, str):
        raise damaged(f"the architecture in {file}", "has a layer without a class name")
    package, _, own = name.rpartition(">")
    registered, module = entry.get("registered_name"), entry.get("module")
    if not package and isinstance(registered, str) and str(module).partition(".")[0] not in _LIBRARIES:
        package = registered.rpartition(">")[0] or str(module or "custom")
    return f"{package}>{own}" if package and (own in KERAS.kinds or own in {*RECURRENT, "StackedRNNCells"}) else own


def config_of(entry: Any, file: str) -> Config:
    """Return the arguments of a serialised layer. The config of a Sequential from Keras 2.0 is a plain list of its layers."""
    config = entry.get("config") if isinstance(entry, Mapping) else None
    if isinstance(config, list):
        config = {"layers": config}
    if not isinstance(config, Mapping):
        raise damaged(f"the architecture in {file}", "has a layer without a config")
    return config


def snake(class_name: str) -> str:
    """Return the name that Keras gives the group of variables of a class."""
    own = class_name.rpartition(">")[2]
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", own)).lower()


@dataclass(frozen=True)
class _Walk:
    """The context of a walk through one architecture."""

    file: str
    locate: Locate
    keras2: bool


def numbered(class_name: str, number: int) -> str:
    """Return the name that Keras gives the group of variables of the `number`th layer of a class."""
    return f"{snake(class_name)}_{number}" if number else snake(class_name)


def _walk_model(model: Node, walk: _Walk, inputs: Sequence[str], depth: int) -> Generator[Node, None, Sequence[str]]:
    """Yield the layers of a model, and return the masks of its outputs."""
    if depth > MAX_DEPTH:
        raise unsupported(f"the architecture in {walk.file}", f"nests models more than {MAX_DEPTH} deep")
    entries = model.config.get("layers", ())
    if not isinstance(entries, list):
        raise damaged(f"the architecture in {walk.file}", "has layers that are not a list")
    counts, homes = Counter[str](), Counter[str]()
    masks, ports = MaskFlow(inputs, walk.keras2), [name for name, _ in tensors_in(model.config.get("input_layers"))]
    chained: Sequence[str] = inputs
    for entry in entries:
        kind, config = class_of(entry, walk.file), config_of(entry, walk.file)
        name = str(config.get("name", entry.get("name", f"{snake(kind)}_{len(masks.after)}")))
        own, modern = snake(kind), kind.removeprefix("CuDNN")
        before = masks.before(entry, name, ports) if "inbound_nodes" in entry else chained
        node = Node(
            name=f"{model.name}/{name}" if model.name else name,
            class_name=kind,
            config=config,
            place=walk.locate(model.place, kind, counts[own], name),
            home=f"{model.home}/layers/{numbered(modern, homes[snake(modern)])}".lstrip("/"),
            top=model.top or name,
            trainable=model.trainable and config.get("trainable", True) is not False,
            wrappers=model.wrappers,
            mask=next(iter(before), "") if masks.given(entry) else "",
            states=states_of(entry),
        )
        within = yield from _unwrap(node, walk, before, depth + 1)
        counts[own] += 1
        homes[snake(modern)] += 1
        chained = masks.after[name] = masks.pass_on(kind, name, config, before) if within is None else within
    return masks.outputs(model.config)


def _unwrap(node: Node, walk: _Walk, before: Sequence[str], depth: int) -> Generator[Node, None, Sequence[str] | None]:
    """Yield a layer, or the layers of a model. Return the masks of a model's outputs, None for a single layer."""
    if depth > MAX_DEPTH:
        raise unsupported(f"the architecture in {walk.file}", f"nests layers more than {MAX_DEPTH} deep")
    kind = KERAS.get(node.class_name)
    if kind.role == "wrapper":
        inner = node.config.get(kind.inner)
        wrapped = Node(
            name=node.name,
            class_name=class_of(inner, walk.file),
            config=config_of(inner, walk.file),
            place=f"{node.place}/{kind.inner}",
            home=f"{node.home}/{kind.inner}",
            top=node.top,
            trainable=node.trainable and config_of(inner, walk.file).get("trainable", True) is not False,
            wrappers=(*node.wrappers, node.class_name),
            mask="",
        )
        yield from _unwrap(wrapped, walk, (), depth + 1)
    elif kind.role == "model" or isinstance(node.config.get("layers"), list):
        return (yield from _walk_model(node, walk, before, depth))
    else:
        yield node
    return None
