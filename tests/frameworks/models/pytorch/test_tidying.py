"""Lines of the generated source fit into 120 columns, and foreign text in its docstrings is harmless."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frameworks.models.pytorch.tidying import WIDTH, harmless, indented, paragraphs, quoted, table


@given(st.text())
def test_foreign_text_neither_ends_a_docstring_nor_escapes(text: str) -> None:
    source = f'def f():\n    """A {quoted(text)} {harmless(text)} {harmless(text)}."""\n'
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert len(function.body) == 1
    shown = ast.get_docstring(function, clean=False) or ""
    assert "\n" not in shown
    assert shown.count('"') == 3 * text.count('"') + 2  # nothing is lost either


def test_a_long_call_has_its_arguments_on_lines_of_their_own() -> None:
    arguments = [f"argument_{number}={number}" for number in range(30)]
    (*lines,) = indented([f"x = self.layer({', '.join(arguments)})[0]  # (batch, time)"], 2)
    assert lines[0] == "        # (batch, time)"
    assert lines[1] == "        x = self.layer("
    assert lines[2] == "            argument_0=0,"
    assert lines[-1] == "        )[0]"
    assert ast.dump(ast.parse("\n".join(line[8:] for line in lines))) == ast.dump(
        ast.parse(f"x = self.layer({', '.join(arguments)})[0]")
    )


def test_arguments_that_fit_into_one_line_share_it() -> None:
    inside = ", ".join(f"argument_{number}" for number in range(8))
    assert indented([f"{'y' * 20} = {'f' * 20}({inside})"])[1] == f"        {inside}"


def test_an_index_gets_no_comma_that_would_change_it() -> None:
    line = f"x = values[{'a' * 80} : {'b' * 80}]"
    assert ast.dump(ast.parse("\n".join(each[4:] for each in indented([line])))) == ast.dump(ast.parse(line))


def test_brackets_in_strings_do_not_count() -> None:
    line = f"x = f({'a' * 60}, \"(,\", '{'b' * 60}')"
    assert [each.strip() for each in indented([line])][2] == '"(,",'


def test_a_table_fits_and_keeps_every_word() -> None:
    words = [f"word{number}" for number in range(60)]
    lines = table([("layer", "here", "what became of it"), ("n" * 70, "self.x", " ".join(words))])
    assert all(len(line) <= WIDTH for line in lines)
    assert " ".join(lines).split()[8:] == words
    assert all(len(line) <= WIDTH for line in paragraphs("x" * 500, 2))


@pytest.mark.parametrize("before", range(8))
def test_no_line_ends_within_an_escape(before: int) -> None:
    text = "b" * before + "\\x" * 200 + '"' * 300
    lines = [*paragraphs(harmless(text), 2), *table([("layer", "how"), ("a", harmless(text))])]
    assert all(len(line) <= WIDTH for line in lines)
    (statement,) = ast.parse('"""\n' + "\n".join(lines) + '\n"""').body
    shown = ast.literal_eval(ast.unparse(statement))
    assert shown.count("\\") == 400
    assert shown.count('"') == 600
