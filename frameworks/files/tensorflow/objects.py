"""The graph of objects in a TensorFlow checkpoint: what each object holds, by attribute, and where its numbers are.

Source: tensorflow/core/protobuf/trackable_object_graph.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from frameworks.files.untrusted.protobuf import Message, as_message, as_number, message_of
from frameworks.files.untrusted.source import Source, damaged

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The name of the text in a checkpoint that holds the graph."""
VARIABLE = "/.ATTRIBUTES/VARIABLE_VALUE"
"""The end of the name of every array in such a checkpoint."""
ROOT = 0
_VARIABLES = "variables"


class Objects:
    """The objects of a checkpoint by number; 0 is the root. Only those that are asked for are parsed.

    Args:
        source: the bytes of the graph.
    """

    def __init__(self, source: Source) -> None:
        """Locate the objects."""
        self._name = source.name
        self._nodes = [as_message(node) for node in message_of(source).all(1)]
        self._children: dict[int, Mapping[str, int]] = {}

    def children(self, number: int) -> Mapping[str, int]:
        """Return the objects that an object holds, by attribute, in the order in which they were set."""
        if number not in self._children:
            self._children[number] = dict(children_of(self._node(number)))
        return self._children[number]

    def at(self, path: str, start: int = ROOT) -> int | None:
        """Return the object at a path of attributes, joined by slashes; None if there is none."""
        found: int | None = start
        for part in path.split("/") if path else ():
            found = None if found is None else self.children(found).get(part)
        return found

    def variable(self, number: int) -> tuple[str, str] | None:
        """Return the name of a variable in its model and in the checkpoint; None for an object that is no variable."""
        for attribute in self._node(number).all(2):
            texts = {field: value.text() for field, value in as_message(attribute).fields() if isinstance(value, Message)}
            if texts.get(1) == "VARIABLE_VALUE":
                return texts.get(2, ""), texts.get(3, "")
        return None

    def variables(self, number: int) -> dict[str, str]:
        """Return the variables of an object and of all that it holds: the name of each in the model, by that in the checkpoint.

        They are in Keras's order: a SavedModel lists the variables of each layer, and in other checkpoints the attributes of
        an object are in the order of their creation.
        """
        listed = self.children(number).get(_VARIABLES)
        if listed is not None:
            numbered = {name: child for name, child in self.children(listed).items() if name.isdecimal()}
            order = [child for _, child in sorted(numbered.items(), key=lambda item: int(item[0]))]
        else:
            order = list(self._within(number))
        found = [self.variable(each) for each in order]
        return {key: name for name, key in filter(None, found)}

    def _within(self, number: int) -> Iterator[int]:
        """Yield an object and all that it holds, each once, parents and earlier attributes first."""
        seen: set[int] = set()
        waiting = [number]
        while waiting:
            current = waiting.pop()
            if current not in seen:
                seen.add(current)
                yield current
                waiting += reversed([*self.children(current).values()])

    def _node(self, number: int) -> Message:
        if not 0 <= number < len(self._nodes):
            raise damaged(self._name, f"refers to the object {number} of {len(self._nodes)}")
        return self._nodes[number]


def children_of(node: Message) -> Iterator[tuple[str, int]]:
    """Yield the attributes of an object, each with the number of the object there."""
    for child in node.all(1):
        number, name = 0, ""
        for field, value in as_message(child).fields():
            if field == 1:
                number = as_number(value)
            elif field == 2:
                name = as_message(value).text()
        yield name, number
