"""The functions `build` and `load` of the generated module, as text."""

from __future__ import annotations

from collections.abc import Collection

DTYPES = {
    **{f"float{bits}": f"F{bits}" for bits in (16, 32, 64)},
    **{f"int{bits}": f"I{bits}" for bits in (8, 16, 32, 64)},
    "bfloat16": "BF16",
    "uint8": "U8",
    "bool": "BOOL",
}
"""The names of torch's dtypes in a safetensors file."""

IMPORTS = ("import json", "import math", "from pathlib import Path")

_BUILD = '''\
def build(path=None):
    """Return the model in inference mode.

    Args:
        path: a safetensors file with its weights; by default the one beside this file.
    """
    with torch.device("meta"):  # no random weights: those of the file take their place
        model = {model}()
    model.load_state_dict(load(path or Path(__file__).with_suffix(".safetensors")), assign=True)
    return model.eval()
'''

_LOAD = '''\
def load(path):
    """Return the arrays of a safetensors file by name."""
    data = bytearray(Path(path).stat().st_size)
    with open(path, "rb") as file:
        file.readinto(data)
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    if header.pop("__metadata__", {{}}).get("port", PORT) != PORT:
        raise ValueError(f"{{path}} belongs to another version of {{__file__}}: write both again")
    arrays, end = {{}}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, count, dtype = end, math.prod(entry["shape"]), DTYPES[entry["dtype"]]
        end += count * dtype.itemsize
        if entry["data_offsets"] != [begin, end]:
            raise ValueError(f"the header of {{path}} does not fit its data at {{name!r}}")
        array = torch.empty(0, dtype=dtype)  # frombuffer refuses it
        if count:
            array = torch.frombuffer(data, dtype=dtype, count=count, offset=start + begin)
        arrays[name] = array.reshape(entry["shape"])
    if start + end != len(data):
        raise ValueError(f"{{path}} has {{len(data)}} bytes, but its header states {{start + end}}")
    return arrays
'''


def loading(model: str, dtypes: Collection[str], port: str) -> tuple[list[str], list[str]]:
    """Return the constants and the functions, as lines.

    Args:
        model: the name of the model's class.
        dtypes: the dtypes of its arrays.
        port: what the header of its safetensors file states, so that no other file is taken for it.
    """
    table = ", ".join(f'"{DTYPES[each]}": torch.{each}' for each in sorted(dtypes))
    constants = [
        f'PORT = "{port}"',
        '"""The safetensors file beside this one states it, too: the two belong together."""',
        "",
        f"DTYPES = {{{table}}}",
        '"""The dtypes of the arrays, by their names in the file."""',
    ]
    functions = [*_BUILD.format(model=model).splitlines(), "", "", *_LOAD.format().splitlines()]
    return constants, functions
