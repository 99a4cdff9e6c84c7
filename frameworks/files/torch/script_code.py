"""What the code of a TorchScript archive states of its modules. The code is read as text and never executed.

A scripted module has its options as constants of its class; a traced one passes them to an operator, as its last arguments.
Source: torch/csrc/jit/serialization/python_print.cpp; the arguments: aten/src/ATen/native/native_functions.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from frameworks.files.untrusted.archive import Archive
from frameworks.files.untrusted.json_text import MAX_BYTES

_CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)
_CONSTANT = re.compile(r"^  (\w+) : Final\[[^\n]{1,200}\] = ([^\n]{1,200})$", re.MULTILINE)
_BOOL, _INT, _FLOAT = r"True|False", r"-?\d{1,18}", r"-?(?:\d{1,40}\.\d{0,40}|\d{1,40})(?:e[-+]?\d{1,3})?"
_LIST = rf"[\[(](?:(?:{_INT})(?:, ?)?){{0,8}}[\])]"
_LITERAL = re.compile(rf'{_BOOL}|None|{_INT}|{_FLOAT}|{_LIST}|"[^"\\]*"')
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|.', re.DOTALL)

_FLAGS = ("bias", "num_layers", "dropout", "training", "bidirectional")
_RECURRENT = ("input", "hx", "params", *_FLAGS, "batch_first")
_PACKED = ("data", "batch_sizes", "hx", "params", *_FLAGS)  # a packed sequence has no batch axis
_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation")
_RUNNING = ("input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps")
_ARGUMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _RECURRENT),
        **dict.fromkeys(("tanh", "relu"), ()),
        "_convolution": (*_CONVOLUTION, "transposed", "output_padding", "groups"),
        "_convolution_mode": (*_CONVOLUTION, "groups"),
        "layer_norm": ("input", "normalized_shape", "weight", "bias", "eps"),
        "group_norm": ("input", "num_groups", "weight", "bias", "eps"),
        **dict.fromkeys(("batch_norm", "instance_norm"), _RUNNING),
    }
)
"""The first arguments of operators, by name."""

_CALL = re.compile(rf"torch\.({'|'.join(_ARGUMENTS)})\((.*)\)")
_LONGEST_LINE = 2000

_IN_MODULE = frozenset(
    ("dropout", "batch_first", "stride", "padding", "dilation", "output_padding", "groups", "num_groups", "momentum", "eps")
)
"""Arguments of operators that are attributes of the module, too."""

_NONLINEARITY = re.compile(r"(?:rnn_)?(tanh|relu)")


class ScriptCode:
    """The code of an archive.

    Args:
        archive: the archive.
        root: its top folder, with a slash.
    """

    def __init__(self, archive: Archive, root: str) -> None:
        """Read nothing yet."""
        self._archive, self._root = archive, root
        self._classes = cache(self._read)

    def __call__(self, name: str) -> Mapping[str, Any]:
        """Return the attributes that the code of a class states.

        Args:
            name: the full name of the class: `__torch__.torch.nn.modules.rnn.LSTM`.
        """
        module, _, own = name.rpartition(".")
        return self._classes(module).get(own, {}) if module.startswith("__torch__") else {}

    def _read(self, module: str) -> Mapping[str, Mapping[str, Any]]:
        """Read the attributes of all classes of one module."""
        name = f"{self._root}code/{module.replace('.', '/')}.py"
        if name not in self._archive:
            return {}
        text = self._archive.read(name, MAX_BYTES).decode("utf-8", "replace")
        starts = [*_CLASS.finditer(text)]
        ends = [*(each.start() for each in starts[1:]), len(text)]
        return {each[1]: _attributes(text[each.start() : end]) for each, end in zip(starts, ends, strict=False)}


def _attributes(text: str) -> Mapping[str, Any]:
    """Return the constants of a class, and the arguments on which all calls of its operators agree."""
    values: dict[str, list[Any]] = {}
    lines = (line for line in text.splitlines() if len(line) <= _LONGEST_LINE)
    for call in filter(None, map(_CALL.search, lines)):
        for name, value in _arguments(call[1], call[2]):
            if value not in values.setdefault(name, []):
                values[name].append(value)
    agreed = {name: each[0] for name, each in values.items() if len(each) == 1 and name in (*_IN_MODULE, "nonlinearity")}
    constants = {each[1]: _value(each[2]) for each in _CONSTANT.finditer(text) if _LITERAL.fullmatch(each[2])}
    return {**agreed, **constants}


def _arguments(operator: str, text: str) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of an operator's arguments, as far as they are literals."""
    texts, names = _split(text), _ARGUMENTS.get(operator, ())
    if names is _RECURRENT and texts[3:4] not in (["True"], ["False"]):
        names = _PACKED
    for name, each in zip(names, texts, strict=False):
        if _LITERAL.fullmatch(each):
            yield name, _value(each)
    nonlinearity = _NONLINEARITY.fullmatch(operator)
    if nonlinearity:
        yield "nonlinearity", nonlinearity[1]


def _split(text: str) -> list[str]:
    """Split arguments at the commas that are not in brackets or texts."""
    texts, depth = [""], 0
    for piece in _PIECE.findall(text):
        depth += (piece in "([{") - (piece in ")]}")
        if piece == "," and not depth:
            texts.append("")
        else:
            texts[-1] += piece
    return [each.strip() for each in texts]


def _value(text: str) -> Any:
    """Return the value of a literal."""
    if text in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[text]
    if text[0] == '"':
        return text[1:-1]
    if text[0] in "[(":
        return tuple(int(each) for each in re.findall(_INT, text))
    return int(text) if re.fullmatch(_INT, text) else float(text)
