"""The architecture that a Keras file describes, of any version: its layers in order, and what masks the input of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from frameworks.files.source import damaged

Config = Mapping[str, Any]
Locate = Callable[[str, str, int], str]
"""From the place of a model in the file, a class and its number among the model's layers of it, to the layer's place."""

MAX_DEPTH = 32

_PASSES_MASKS = frozenset(
    (
        *(
            "Activation",
            "ActivityRegularization",
            "Add",
            "AlphaDropout",
            "Average",
            "BatchNormalization",
            "Concatenate",
            "Dense",
        ),
        *(
            "Dropout",
            "ELU",
            "GaussianDropout",
            "GaussianNoise",
            "LayerNormalization",
            "LeakyReLU",
            "Masking",
            "Maximum",
            "Minimum",
        ),
        *("Multiply", "PReLU", "ReLU", "Softmax", "SpatialDropout1D", "Subtract", "ThresholdedReLU", "UnitNormalization"),
    )
)
"""Keras's own layers without a step of time of their own, which hand on the mask that they are given."""
_MODELS = ("Sequential", "Model", "Functional")


@dataclass(frozen=True)
class Node:
    """A layer of the architecture.

    Args:
        name: its own, after those of the models and wrappers that it lies in, with slashes between.
        class_name: without a package before it.
        config: the arguments of its constructor.
        place: of its variables in a file that keeps them by class and number.
        top: the name of the layer of the outermost model that it lies in, by which older files keep them.
        trainable: whether all that it lies in is, which the order of weights in older files depends on.
        wrappers: the classes that run it otherwise than once a call: TimeDistributed.
        mask: what masks its input; empty where nothing does.
    """

    name: str
    class_name: str
    config: Config
    place: str
    top: str
    trainable: bool
    wrappers: tuple[str, ...]
    mask: str


def walk(model: Config, file: str, locate: Locate) -> list[Node]:
    """Give all layers of a model, those of models within it in their place.

    Args:
        model: what Keras wrote of it: class_name and config.
        file: what messages call the file.
        locate: tells where the file keeps a layer.

    Raises:
        GatewiseError: for an architecture that is none.
    """
    outermost = Node("", class_of(model, file), config_of(model, file), "", "", trainable=True, wrappers=(), mask="")
    return list(_walk_model(outermost, file, locate, 0))


def class_of(entry: Any, file: str) -> str:
    """Give the class of a serialised layer, without its package."""
    name = entry.get("class_name") if isinstance(entry, Mapping) else None
    if not isinstance(name, str):
        raise damaged(f"the architecture in {file}", "names no class of a layer")
    return name.rpartition(">")[2]


def config_of(entry: Any, file: str) -> Config:
    """Give the arguments of a serialised layer; the layers of a Sequential that are a bare list, as Keras 2.0 wrote them."""
    config = entry.get("config") if isinstance(entry, Mapping) else None
    if isinstance(config, list):
        config = {"layers": config}
    if not isinstance(config, Mapping):
        raise damaged(f"the architecture in {file}", "gives a layer no config")
    return config


def snake(class_name: str) -> str:
    """Name a class as Keras names its variables' group."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", class_name)).lower()


def _walk_model(model: Node, file: str, locate: Locate, depth: int) -> Iterator[Node]:
    if depth > MAX_DEPTH:
        raise damaged(f"the architecture in {file}", f"nests models more than {MAX_DEPTH} deep")
    entries = model.config.get("layers", ())
    if not isinstance(entries, list):
        raise damaged(f"the architecture in {file}", "has layers that are no list")
    counts: dict[str, int] = {}
    masks: dict[str, str] = {}
    before = model.mask
    for entry in entries:
        kind, config = class_of(entry, file), config_of(entry, file)
        name = str(config.get("name", entry.get("name", f"{snake(kind)}_{len(masks)}")))
        number = counts[snake(kind)] = counts.get(snake(kind), -1) + 1
        sources = _sources(entry.get("inbound_nodes"), masks)
        mask = next(filter(None, sources), "") if "inbound_nodes" in entry and kind != "InputLayer" else before
        node = Node(
            name=f"{model.name}/{name}" if model.name else name,
            class_name=kind,
            config=config,
            place=locate(model.place, kind, number),
            top=model.top or name,
            trainable=model.trainable and config.get("trainable", True) is not False,
            wrappers=model.wrappers,
            mask=mask,
        )
        before = masks[name] = _mask_after(node)
        yield from _unwrap(node, file, locate, depth + 1)


def _unwrap(node: Node, file: str, locate: Locate, depth: int) -> Iterator[Node]:
    if depth > MAX_DEPTH:
        raise damaged(f"the architecture in {file}", f"nests layers more than {MAX_DEPTH} deep")
    if node.class_name == "TimeDistributed":
        inner = node.config.get("layer")
        wrapped = Node(
            name=node.name,
            class_name=class_of(inner, file),
            config=config_of(inner, file),
            place=f"{node.place}/layer",
            top=node.top,
            trainable=node.trainable and config_of(inner, file).get("trainable", True) is not False,
            wrappers=(*node.wrappers, node.class_name),
            mask="",
        )
        yield from _unwrap(wrapped, file, locate, depth + 1)
    elif node.class_name in _MODELS or isinstance(node.config.get("layers"), list):
        yield from _walk_model(node, file, locate, depth)
    else:
        yield node


def _mask_after(node: Node) -> str:
    """Tell what masks a layer's output: the source of the mask, or nothing."""
    name = node.name.rpartition("/")[2]
    if node.class_name == "Masking":
        return f"{name} (Masking of {node.config.get('mask_value', 0.0)!r})"
    if node.class_name == "Embedding":
        return f"{name} (mask_zero)" if node.config.get("mask_zero") is True else ""
    inner = node.config.get("layer")
    flags = inner.get("config", {}) if node.class_name == "Bidirectional" and isinstance(inner, Mapping) else node.config
    passes = node.class_name in _PASSES_MASKS or (isinstance(flags, Mapping) and flags.get("return_sequences") is True)
    return node.mask if passes or node.class_name in ("InputLayer", "TimeDistributed", *_MODELS) else ""


def _sources(inbound: Any, masks: Mapping[str, str]) -> list[str]:
    """Give the masks of the layers whose outputs a layer reads, in any version's way of writing that down."""
    found, waiting = [], [inbound]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            if one and isinstance(one[0], str) and one[0] in masks:
                found.append(masks[one[0]])
            waiting.extend(reversed(one))
        elif isinstance(one, Mapping):
            waiting.extend(reversed(list(one.values())))
    return found
