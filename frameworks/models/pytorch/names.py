"""Names in the generated source: identifiers made from the names of a model, which may hold anything."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable

MODULE_ATTRIBUTES = frozenset(
    (
        *("T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile", "cpu"),
        *("cuda", "double", "dtype", "dump_patches", "eval", "extra_repr", "float", "forward", "get_buffer", "get_extra_state"),
        *("get_parameter", "get_submodule", "half", "ipu", "load_state_dict", "modules", "mtia", "named_buffers"),
        *("named_children", "named_modules", "named_parameters", "parameters", "register_backward_hook", "register_buffer"),
        *("register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"),
        *("register_full_backward_pre_hook", "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook"),
        *("register_module", "register_parameter", "register_state_dict_post_hook", "register_state_dict_pre_hook"),
        *(
            "requires_grad_",
            "reset_states",
            "set_extra_state",
            "set_submodule",
            "share_memory",
            "state_dict",
            "to",
            "to_empty",
            "train",
        ),
        *("training", "type", "xpu", "zero_grad"),
    )
)
"""The public attributes of torch.nn.Module and of the generated classes, which a layer of the same name would replace."""

MODULE_NAMES = frozenset({"DTYPES", "F", "PORT", "Path", "build", "json", "load", "math", "nn", "torch"})
"""The names that the generated module defines or imports itself."""

_KEYWORDS = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist)
VARIABLES = MODULE_NAMES | _KEYWORDS | frozenset(dir(builtins)) - {"input"} | {"self", "x"}
"""Names that no variable of `forward` may have; `x` is the one that a chain of layers reuses."""

_LONGEST = 45
_WORD = re.compile("[^0-9A-Za-z]+")


def identifier(text: str, otherwise: str = "layer") -> str:
    """Return an ASCII identifier that resembles a text.

    Args:
        text: the text.
        otherwise: the identifier if the text has no letters or digits of ASCII.

    Example:
        >>> from frameworks.models.pytorch.names import identifier
        >>> identifier("block1/conv 2"), identifier("Gefühl"), identifier("2nd")
        ('block1_conv_2', 'Gefuhl', 'layer_2nd')
    """
    plain = unicodedata.normalize("NFKD", text[: 4 * _LONGEST]).encode("ascii", "ignore").decode()
    words = re.sub("_+", "_", _WORD.sub("_", plain)).strip("_")[:_LONGEST].rstrip("_")
    if not words:
        return otherwise
    return f"{otherwise}_{words}" if words[0].isdigit() else words


def class_name(text: str) -> str:
    """Return the name of a class made from a model's name: "my_model" gives "MyModel"."""
    return "".join(word[:1].upper() + word[1:] for word in identifier(text, "model").split("_"))


class Names:
    """The names of one scope, each given once.

    Args:
        reserved: the names that are never given.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        """Begin with no names but the reserved ones."""
        self._reserved = frozenset(reserved) | _KEYWORDS
        self._taken = set(self._reserved)
        self._counts: dict[str, int] = {}

    def free(self, wish: str, otherwise: str = "layer") -> str:
        """Return an identifier that resembles a wish, and that nothing else in the scope has."""
        name = first = identifier(wish, otherwise)
        if first in self._reserved:
            name = f"{first}_"
        while name in self._taken:
            self._counts[first] = self._counts.get(first, 1) + 1
            name = f"{first}_{self._counts[first]}"
        self._taken.add(name)
        return name
