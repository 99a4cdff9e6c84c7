"""What Keras 2 wrote of a model into its SavedModel: the JSON of each object, by the object's number in the checkpoint.

Source: keras/protobuf/saved_metadata.proto, tensorflow/core/protobuf/saved_object_graph.proto (`SavedUserObject`, before
TensorFlow 2.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from frameworks.files.tensorflow.objects import ROOT, Objects, children_of
from frameworks.files.untrusted.folders import METADATA, open_within
from frameworks.files.untrusted.json_text import MAX_BYTES, read_json
from frameworks.files.untrusted.protobuf import Message, as_message, message_of
from frameworks.files.untrusted.source import Source, unsupported

Metadata = Mapping[int, Mapping[str, Any]]
_LAYER = "_tf_keras_"


def read_metadata(folder: Path, graphs: Source, objects: Objects) -> Metadata:
    """Return the metadata of each object of Keras; none if another program wrote the SavedModel.

    Args:
        folder: the folder of the SavedModel.
        graphs: its saved_model.pb.
        objects: the objects of its checkpoint.

    Raises:
        GatewiseError: for damaged metadata.
    """
    found = _separate(folder, objects) if (folder / METADATA).exists() else _within(graphs, objects)
    return {
        number: read_json(_whole(text.part()), f"the metadata of {graphs.name}", object_hook=_plain) for number, text in found
    }


def _separate(folder: Path, objects: Objects) -> Iterator[tuple[int, Message]]:
    """Yield the metadata in keras_metadata.pb, which names objects by their paths."""
    for node in message_of(open_within(folder, METADATA)).all(1):
        fields = dict(as_message(node).fields())
        path, text = fields.get(3), fields.get(5)
        if isinstance(path, Message) and isinstance(text, Message):
            number = objects.at("/".join(path.text().split(".")[1:]))
            if number is not None:
                yield number, text


def _within(graphs: Source, objects: Objects) -> Iterator[tuple[int, Message]]:
    """Yield the metadata in saved_model.pb, whose objects are followed together with those of the checkpoint."""
    nodes = [
        as_message(node)
        for model in message_of(graphs).all(2)
        for graph in as_message(model).all(7)
        for node in as_message(graph).all(1)
    ]
    seen, waiting = {ROOT}, [(ROOT, ROOT)] if nodes else []
    while waiting:
        own, number = waiting.pop()
        yield from ((number, text) for text in _texts(nodes[own]))
        for name, child in children_of(nodes[own]):
            other = objects.children(number).get(name)
            if other is not None and other not in seen and child < len(nodes):
                seen.add(other)
                waiting.append((child, other))


def _texts(node: Message) -> Iterator[Message]:
    for kind in node.all(4):
        fields = dict(as_message(kind).fields())
        identifier, text = fields.get(1), fields.get(3)
        if isinstance(identifier, Message) and isinstance(text, Message) and identifier.text().startswith(_LAYER):
            yield text


def _whole(text: Source) -> bytes:
    if text.size > MAX_BYTES:
        raise unsupported(text.name, f"has metadata of {text.size} bytes, more than {MAX_BYTES >> 20} MiB")
    return text.read(0, text.size)


def _plain(value: dict[str, Any]) -> Any:
    """Return what a JSON object of the metadata is in an h5 file: tuples are lists, and no object has a number."""
    if value.get("class_name") in ("__tuple__", "TensorShape") and "items" in value:
        return value["items"]
    return {name: each for name, each in value.items() if name != "shared_object_id"}
