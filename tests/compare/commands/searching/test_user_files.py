"""A Python file is run as `python FILE.py` runs it, and its objects are found by name, or refused with the names that would do.

Covers: `compare/commands/searching/user_files.py`, `compare/commands/searching/own_modules.py`,
`compare/commands/searching/user_errors.py`, `compare/commands/searching/arguments.py`.
"""

from __future__ import annotations

import builtins
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from compare.commands.searching.arguments import Named, read_named
from compare.commands.searching.user_errors import as_refusal, short_traceback
from compare.commands.searching.user_files import UserFiles
from frameworks.errors import GatewiseError


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[UserFiles]:
    """Run files in this process, which is as before afterwards."""
    modules, plain = set(sys.modules), builtins.__import__
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    yield UserFiles()
    builtins.__import__ = plain
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def load(files: UserFiles, path: Path, name: str, *, is_port: bool = True) -> Any:
    return files.load(Named(path, name), is_port=is_port)


@pytest.mark.parametrize(
    ("text", "path", "name"),
    [
        ("model.h5", "model.h5", None),
        ("model.py", "model.py", ""),
        ("model.py:", "model.py", ""),
        ("a b/my model.py:build", "a b/my model.py", "build"),
        ("C:\\work\\model.py:net", "C:\\work\\model.py", "net"),
        ("C:\\work\\model.h5", "C:\\work\\model.h5", None),
        ("http:x/model.py:net", "http:x/model.py", "net"),
        ("model.h5:lstm", "model.h5:lstm", None),
        ("model.pyc", "model.pyc", None),
    ],
)
def test_an_argument_is_a_file_or_a_name_in_a_python_file(text: str, path: str, name: str | None) -> None:
    assert read_named(text) == Named(Path(path), name)


def test_a_file_whose_name_contains_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_named("odd.py:b").name == "b"
    (tmp_path / "odd.py:b").touch()
    assert read_named("odd.py:b") == Named(Path("odd.py:b"))


KINDS = """
    import functools
    from torch import nn
    from torch.nn import GRU

    net = nn.GRU(3, 4)
    stack = [nn.GRU(3, 4), nn.GRU(4, 4)]
    SIZE = 4

    class Port(nn.Module):
        def __init__(self, size=SIZE, **more):
            super().__init__()
            self.gru = nn.GRU(3, size)

    class Sized(nn.Module):
        def __init__(self, units, vocab, *, dropout=0.1):
            super().__init__()

    class Settings:
        units = 4

    class Loop:
        def __call__(self, x):
            return x

    def build():
        return Port()

    def port(x, mask=None):
        return net(x)

    def anything(*arrays):
        return arrays

    def returns_none():
        pass

    fixed = functools.partial(port, mask=None)
    short = lambda x: net(x)
    _private = nn.GRU(3, 4)
"""


@pytest.mark.parametrize(
    ("name", "kind"),
    [("net", nn.GRU), ("stack", list), ("Port", nn.Module), ("build", nn.Module), ("_private", nn.GRU), ("GRU", None)],
)
@pytest.mark.parametrize("is_port", [False, True])
def test_objects_and_what_makes_them_are_found(
    files: UserFiles, tmp_path: Path, name: str, kind: type | None, *, is_port: bool
) -> None:
    path = write(tmp_path / "model.py", KINDS)
    if kind is None:
        with pytest.raises(GatewiseError, match="GRU must be callable without arguments, but raises TypeError: RNNBase"):
            load(files, path, name, is_port=is_port)
    else:
        assert isinstance(load(files, path, name, is_port=is_port), kind)


@pytest.mark.parametrize("name", ["port", "anything", "fixed", "short", "Loop"])
def test_a_function_of_the_inputs_is_a_port_and_no_layer(files: UserFiles, tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "model.py", KINDS)
    assert callable(load(files, path, name, is_port=True))
    if name != "Loop":  # an object that only `adapt` can judge
        with pytest.raises(
            GatewiseError, match=r"must be callable without arguments|must be a module, layer or model, but is a"
        ):
            load(files, path, name, is_port=False)


@pytest.mark.parametrize(
    ("name", "but", "remedy"),
    [
        ("", "is named alone", "Name one of these: PATH:net, PATH:stack, PATH:Port, PATH:Loop, PATH:build, PATH:port,"),
        ("nett", "has no 'nett'", "Name one of these: PATH:net,"),
        ("Sized", "needs units, vocab.", "Add `def build(): return Sized(...)` with its arguments to model.py"),
        ("SIZE", "is a int", "Name one of these: PATH:net,"),
        ("nn", "is a module", "Name one of these: PATH:net,"),
        ("returns_none", "is a NoneType", "Return the model itself"),
    ],
)
def test_a_name_that_leads_to_nothing_is_refused_with_the_way_on(
    files: UserFiles, tmp_path: Path, name: str, but: str, remedy: str
) -> None:
    path = write(tmp_path / "model.py", KINDS)
    with pytest.raises(GatewiseError) as caught:
        load(files, path, name)
    assert but in str(caught.value)
    assert remedy.replace("PATH", str(path)) in str(caught.value)
    listed = str(caught.value).partition("Name one of these: ")[2]
    assert not any(f":{other}" in listed for other in ("Sized", "Settings", "GRU", "_private", "SIZE"))


def test_the_names_of_a_right_layer_leave_ports_out(files: UserFiles, tmp_path: Path) -> None:
    path = write(tmp_path / "model.py", KINDS)
    with pytest.raises(GatewiseError) as caught:
        load(files, path, "x", is_port=False)
    listed = str(caught.value).partition("Name one of these: ")[2]
    assert listed == ", ".join(f"{path}:{name}" for name in ("net", "stack", "Port", "Loop", "build", "returns_none")) + "."


def test_a_file_runs_as_a_program_does_but_for_its_main_block(
    files: UserFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "code" / "helper.py", "SIZE = 3")
    path = write(
        tmp_path / "code" / "my model-2.py",
        """
        import dataclasses, os, sys
        from helper import SIZE
        from torch import nn
        if __name__ == "__main__":
            raise RuntimeError("the block was run")
        @dataclasses.dataclass
        class Sizes:
            input_size: int = SIZE
        net = nn.GRU(Sizes().input_size, 4)
        net.seen = sys.argv, os.getcwd()
        os.chdir("/")
        """,
    )
    net = load(files, Path("code/my model-2.py"), "net")
    assert net.input_size == 3
    assert net.seen == ([str(path)], str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert str(files) == "code/my model-2.py was run, in a process of its own."


def test_a_file_is_run_once_also_if_the_other_imports_it(files: UserFiles, tmp_path: Path) -> None:
    right = write(tmp_path / "right.py", "from torch import nn\nnet = nn.GRU(3, 4)\n")
    port = write(tmp_path / "port.py", "from right import net\nimport functools\nport = functools.partial(net)\n")
    first = load(files, port, "port")
    assert load(files, right, "net") is first.func
    assert load(files, port, "net") is first.func


def test_a_file_may_have_dots_in_its_name(files: UserFiles, tmp_path: Path) -> None:
    path = write(tmp_path / "net.v2.py", "from torch import nn\nnet = nn.GRU(3, 4)")
    assert load(files, path, "net").hidden_size == 4


def test_a_file_of_a_package_imports_relatively(files: UserFiles, tmp_path: Path) -> None:
    for folder in ("package", "package/inner"):
        write(tmp_path / folder / "__init__.py", "")
    write(tmp_path / "package" / "sizes.py", "SIZE = 3")
    path = write(
        tmp_path / "package" / "inner" / "model.py", "from ..sizes import SIZE\nfrom torch import nn\nnet = nn.GRU(SIZE, 4)"
    )
    assert load(files, path, "net").input_size == 3


@pytest.mark.parametrize("name", ["json", "torch"])
def test_a_file_named_like_a_loaded_module_takes_nobodys_place(files: UserFiles, tmp_path: Path, name: str) -> None:
    loaded = sys.modules[name] if name == "torch" else __import__(name)
    path = write(tmp_path / f"{name}.py", "class Loop:\n    def __call__(self, x):\n        return x\n")
    assert load(files, path, "Loop")(3) == 3
    assert sys.modules[name] is loaded


def test_equally_named_modules_of_two_folders_are_kept_apart(files: UserFiles, tmp_path: Path) -> None:
    for number, folder in enumerate(("one", "two"), 1):
        write(tmp_path / folder / "helper.py", f"NUMBER = {number}")
        write(tmp_path / folder / "later.py", f"from helper import NUMBER\nLATER = 10 * {number} + NUMBER")
        write(tmp_path / folder / "parts" / "sizes.py", f"SIZE = {number}")
        write(tmp_path / folder / f"only_{folder}.py", "")
        write(
            tmp_path / folder / "model.py",
            f"""
            from helper import NUMBER
            from parts.sizes import SIZE
            def port(x):
                import later, only_{folder}
                from parts import sizes
                return NUMBER, SIZE, later.LATER, sizes.SIZE
            """,
        )
    one = load(files, tmp_path / "one" / "model.py", "port")
    two = load(files, tmp_path / "two" / "model.py", "port")
    for _ in range(2):
        assert one(0) == (1, 1, 11, 1)
        assert two(0) == (2, 2, 22, 2)


def test_a_module_that_gatewise_hides_is_named(files: UserFiles, tmp_path: Path) -> None:
    write(tmp_path / "compare.py", "VALUE = 7")
    path = write(tmp_path / "model.py", "import compare\nvalue = lambda x: compare.VALUE\n")
    with pytest.warns(UserWarning, match=r"compare\.py must have a name of its own, but is hidden by gatewise's package"):
        load(files, path, "value")


@pytest.mark.parametrize(
    ("text", "said", "shown"),
    [
        ("x = 1 / 0", "raises ZeroDivisionError: division by zero.", ["x = 1 / 0", "ZeroDivisionError: division by zero"]),
        ("def f(:\n", "raises SyntaxError: invalid syntax", ["def f(:", "SyntaxError: invalid syntax"]),
        ("import not_there_at_all", "raises ModuleNotFoundError: No module named 'not_there_at_all'.", ["import not_there"]),
        ("import helper", "raises KeyError: 'inside'.", ["import helper", "{}['inside']"]),
        ("import sys; sys.exit()", "ends with sys.exit(). Put what it does", ["SystemExit"]),
        ("import sys; sys.exit('usage')", "ends with sys.exit('usage'). Put what it does", ["SystemExit: usage"]),
        (
            "import json; json.loads('[')",
            "raises JSONDecodeError: Expecting value",
            ["json.loads('[')", "raise JSONDecodeError"],
        ),
        ("raise BaseException('odd')", "raises BaseException: odd.", ["BaseException: odd"]),
        ("try:\n    {}['a']\nexcept KeyError:\n    raise ValueError('second')", "raises ValueError: second.", []),
    ],
)
def test_an_error_of_a_file_is_shown_as_the_users_own(
    files: UserFiles, tmp_path: Path, text: str, said: str, shown: list[str]
) -> None:
    write(tmp_path / "helper.py", "{}['inside']")
    path = write(tmp_path / "model.py", text)
    with pytest.raises(GatewiseError, match="must") as caught:
        load(files, path, "net")
    assert said in str(caught.value)
    lines = short_traceback(caught.value, files)
    assert lines[0] == "Traceback (most recent call last):"
    assert str(path) in "".join(lines)
    assert all(text in "\n".join(lines) for text in shown)
    assert "searching" not in "".join(lines)
    assert "importlib" not in "".join(lines)


def test_a_deep_traceback_is_short(files: UserFiles, tmp_path: Path) -> None:
    path = write(tmp_path / "model.py", "def f(n):\n    return f(n - 1) if n else 1 / 0\nf(50)")
    with pytest.raises(GatewiseError) as caught:
        load(files, path, "net")
    assert len(short_traceback(caught.value, files)) < 40


def test_an_error_of_a_class_or_a_function_is_its_own(files: UserFiles, tmp_path: Path) -> None:
    path = write(tmp_path / "model.py", "def build():\n    raise ValueError('no vocabulary')\n")
    with pytest.raises(GatewiseError, match=r"model\.py:build\(\) must run without an error, but raises ValueError: no vocab"):
        load(files, path, "build")


def test_an_error_in_a_call_is_the_users_and_one_of_gatewise_is_not(files: UserFiles, tmp_path: Path) -> None:
    path = write(tmp_path / "model.py", "def port(x):\n    raise SystemExit(3)\ndef passes(f):\n    return f()\n")

    def ours() -> None:
        raise KeyError("ours")

    port, passes = (load(files, path, name) for name in ("port", "passes"))
    with pytest.raises(SystemExit) as end:
        port(0)
    assert str(as_refusal(end.value, files)).startswith("model.py must be callable without an error, but raises SystemExit: 3.")
    with pytest.raises(KeyError) as caught:
        ours()
    assert as_refusal(caught.value, files) is caught.value
    refusal = GatewiseError("a refusal")
    assert as_refusal(refusal, files) is refusal
    assert short_traceback(caught.value, files) == []
    assert passes(lambda: 1) == 1


def test_a_path_that_is_no_file_is_named(files: UserFiles, tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(GatewiseError, match=r"missing\.py must be a file, but is not there"):
        load(files, tmp_path / "missing.py", "net")
    with pytest.raises(GatewiseError, match=r"folder\.py must be a file, but is a folder"):
        load(files, tmp_path / "folder.py", "net")
    assert files.ran == []


def test_a_file_without_anything_of_use_says_how_to_add_it(files: UserFiles, tmp_path: Path) -> None:
    path = write(tmp_path / "empty.py", "SIZE = 3")
    with pytest.raises(
        GatewiseError, match=r"Add a function to it that returns the model, `def build\(\): \.\.\.`, and name that"
    ):
        load(files, path, "net")
