"""The functions `build` and `load` of the generated module, as text."""

from __future__ import annotations

DTYPES = {
    **{f"F{bits}": f"float{bits}" for bits in (64, 32, 16)},
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    **{f"{short}{bits}": f"{kind}{bits}" for short, kind in (("I", "int"), ("U", "uint")) for bits in (64, 32, 16, 8)},
    "C64": "complex64",
    "BOOL": "bool",
}
"""The dtypes of a safetensors file by the names that torch has for them; it packs those that are missing."""

IMPORTS = ("import json", "import math", "from pathlib import Path")

_BUILD = '''\
def build(path=None):
    """Return the model with its weights, in inference mode.

    {model}() alone has new random weights.

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
    if start > len(data) or data[8:9] != b"{{":
        found = "something else, or a part of one"
        if data[:2] in (b"PK", b"\\x80\\x02"):
            found = "a zip file or a pickle, such as torch.save writes: for one of weights, use torch.load"
        raise ValueError(f"{{path}} must be a safetensors file, but is {{found}}")
    header = json.loads(data[8:start])
    if header.pop("__metadata__", {{}}).get("port", PORT) != PORT:
        raise ValueError(f"{{path}} belongs to another version of {{__file__}}: write both again")
    entries = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
    size = start + max((entry["data_offsets"][1] for _, entry in entries), default=0)
    if size != len(data):
        raise ValueError(f"{{path}} has {{len(data)}} bytes, but its header states {{size}}")
    arrays, end = {{}}, 0
    for name, entry in entries:
        dtype = getattr(torch, DTYPES.get(entry["dtype"], ""), None)
        if dtype is None:
            raise ValueError(f"{{name!r}} in {{path}} must have a dtype of torch, but has {{entry['dtype']!r}}")
        begin, count = end, math.prod(entry["shape"])
        end += count * dtype.itemsize
        if entry["data_offsets"] != [begin, end]:
            raise ValueError(f"the header of {{path}} does not fit its data at {{name!r}}")
        array = torch.empty(0, dtype=dtype)  # frombuffer refuses it
        if count:
            array = torch.frombuffer(data, dtype=dtype, count=count, offset=start + begin)
        arrays[name] = array.reshape(entry["shape"])
    return arrays
'''


def loading(model: str, port: str) -> tuple[list[str], list[str]]:
    """Return the constants and the functions, as lines.

    Args:
        model: the name of the model's class.
        port: what the header of its safetensors file states, so that no other file is taken for it.
    """
    table = [f'"{short}": "{name}"' for short, name in DTYPES.items()]
    constants = [
        f'PORT = "{port}"',
        '"""The safetensors file beside this one states it, too: the two belong together."""',
        "",
        "DTYPES = {",
        *(f"    {', '.join(table[at : at + 4])}," for at in range(0, len(table), 4)),
        "}",
        '"""The names that torch has for the dtypes of a safetensors file."""',
    ]
    functions = [*_BUILD.format(model=model).splitlines(), "", "", *_LOAD.format().splitlines()]
    return constants, functions
