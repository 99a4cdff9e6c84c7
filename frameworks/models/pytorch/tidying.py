"""Text of the generated source: lines within 120 columns, and foreign text that stays harmless in strings and comments."""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
from collections.abc import Iterable, Iterator, Sequence

from frameworks.escaping import printable
from frameworks.models.pytorch.pieces import literal

WIDTH = 120
"""The most columns of a line."""

_LAST = 44
"""The least columns of the last column of a table."""

_ESCAPED = '\\\\"'
_RUNS, _ENDS = re.compile(r'(?<=")"|"(?=")'), re.compile(r'^"|(?<!\\)"$')
"""Quotes that could end a docstring: next to each other, and at the ends of a text between quotes."""

_STATEMENT = re.compile(r"(return|[\w., ]+?)( = |(?<=return) )(.+)")
"""A statement that returns or assigns something: what stands before it, the sign between, and the value."""

_OPENING, _CLOSING = {"(", "[", "{"}, {")", "]", "}"}


def harmless(text: str) -> str:
    """Return a text that can stand between spaces in a docstring: no control characters, no escapes, nothing that ends it."""
    return _RUNS.sub(_ESCAPED, printable(text).replace("\\", "\\\\"))


def quoted(text: str) -> str:
    """Return a text that can stand in a docstring, in quotes."""
    return f'"{_ENDS.sub(_ESCAPED, harmless(text))}"'


def indented(lines: Iterable[str], depth: int = 1) -> list[str]:
    """Return the lines of statements, each indented, and cut at its outermost brackets if it is too long."""
    return [line for each in lines for line in _fitted(each, 4 * depth)]


def code_lines(code: str) -> list[str]:
    """Return the lines of code, each cut if it is too long."""
    return [each for line in code.strip("\n").splitlines() for each in _fitted_code(line)]


def _fitted_code(line: str) -> list[str]:
    code = line.lstrip()
    indent = len(line) - len(code)
    if code.startswith('"""') and len(line) > WIDTH:
        return _wrapped(code, WIDTH, " " * indent, " " * indent)
    return list(_fitted(code, indent))


def paragraphs(text: str, depth: int, hanging: int = 0) -> list[str]:
    """Return a text of one line as lines that fit."""
    indent = " " * (4 * depth)
    return _wrapped(text, WIDTH, indent, indent + " " * hanging)


def _wrapped(text: str, width: int, first: str = "", others: str = "") -> list[str]:
    """Return a harmless text as lines, none of which ends within an escape."""
    lines = textwrap.wrap(text, width - 1, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
    for at in range(len(lines) - 1):
        if (len(lines[at]) - len(lines[at].rstrip("\\"))) % 2:
            lines[at], lines[at + 1] = lines[at][:-1], f"{others}\\{lines[at + 1][len(others) :]}"
    return lines


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of harmless cells as lines in columns. The last one is wrapped, on a new line after a wide cell."""
    widest = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    most = next(most for most in range(WIDTH, 0, -1) if sum(min(each, most) + 2 for each in widest) <= WIDTH - _LAST)
    widths = [min(each, most) for each in widest]
    start = sum(widths) + 2 * len(widths)
    lines = []
    for *cells, last in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        if len(line) + 2 > start:
            lines += _wrapped(line, WIDTH, others="    ")
            line = " " * (start - 2)
        wrapped = _wrapped(last, WIDTH - start) or [""]
        lines += [f"{line}  {wrapped[0]}".rstrip(), *(f"{' ' * start}{each}" for each in wrapped[1:])]
    return lines


def _fitted(line: str, indent: int) -> Iterator[str]:
    """Yield a statement, or an argument of one, as lines that fit, as far as its brackets allow."""
    if not line or indent + len(line) <= WIDTH or "\n" in line:
        yield f"{' ' * indent}{line}".rstrip()
        return
    line, comment = _without_comment(line)
    if comment:
        yield f"{' ' * indent}# {comment}"
    if indent + len(line) <= WIDTH:
        yield f"{' ' * indent}{line}"
        return
    ways = [list(_cut(each, indent)) for each in (line, *_in_brackets(line))]
    yield from next((lines for lines in ways if max(map(len, lines)) <= WIDTH), ways[0])


def _in_brackets(line: str) -> Iterator[str]:
    """Yield a statement with brackets around what it returns or assigns, and around what it assigns to."""
    if found := _STATEMENT.fullmatch(line):
        head, equals, value = found.groups()
        yield f"{head}{equals}({value})"
        if "," in head:
            yield f"({head}){equals}{value}"


def _cut(line: str, indent: int) -> Iterator[str]:
    """Yield a statement cut at its longest outermost brackets."""
    cut = _outermost(line)
    if cut is None:
        yield from (f"{' ' * indent}{each}" for each in _in_pieces(line, WIDTH - indent))
        return
    before, arguments, after, comma = cut
    yield f"{' ' * indent}{before}"
    together = ", ".join(arguments)
    if indent + 4 + len(together) <= WIDTH:
        arguments, comma = [together], False
    if len(arguments) == 1 and len(pieces := _in_pieces(arguments[0], WIDTH - indent)) > 1 and pieces[0] == "(":
        yield from (f"{' ' * indent}{each}" for each in pieces[1:-1])  # its brackets are those of the call
        arguments = []
    for at, argument in enumerate(arguments):
        behind = "," if comma or at < len(arguments) - 1 else ""
        yield from _fitted(f"{argument}{behind}", indent + 4)
    first, *others = _fitted(f"({after}", indent)  # the closing bracket, and what follows, which may be cut again
    yield from (first.replace("(", "", 1), *others)


def _in_pieces(line: str, width: int) -> list[str]:
    """Return a line with its long text, if it has one, as several literals in brackets."""
    text = next((token for token in _tokens(line) if token.type == tokenize.STRING and len(token.string) > width // 2), None)
    if text is None:
        return [line]
    pieces = [""]
    for character in ast.literal_eval(text.string):
        longer = pieces[-1] + character
        if len(literal(longer)) <= width - 4:
            pieces[-1] = longer
        else:
            pieces.append(character)
    inside = (f"    {literal(each)}" for each in pieces)
    return [f"{line[: text.start[1]]}(", *inside, f"){line[text.end[1] :]}"]


def _without_comment(line: str) -> tuple[str, str]:
    for token in _tokens(line):
        if token.type == tokenize.COMMENT:
            return line[: token.start[1]].rstrip(), token.string.lstrip("# ")
    return line, ""


def _outermost(line: str) -> tuple[str, list[str], str, bool] | None:
    """Return the line before the contents of its longest outermost brackets, the contents, what follows, and if a comma may."""
    pairs: list[tuple[int, int, list[int], bool]] = []
    depth, start, commas, name_before, previous = 0, 0, list[int](), False, ""
    for token in _tokens(line):
        if token.string in _OPENING and token.type == tokenize.OP:
            if depth == 0:
                is_call = previous[-1:].isalnum() or previous[-1:] in {"_", ")", "]"}
                start, commas, name_before = token.end[1], [], is_call
            depth += 1
        elif token.string in _CLOSING and token.type == tokenize.OP:
            depth -= 1
            if depth == 0:
                pairs.append((start, token.start[1], commas, name_before))
        elif token.string == "," and depth == 1:
            commas.append(token.start[1])
        previous = token.string
    if not pairs:
        return None
    start, end, commas, is_call = max(pairs, key=lambda pair: pair[1] - pair[0])
    ends = [*commas, end]
    arguments = [line[a:b].strip() for a, b in zip([start, *(each + 1 for each in commas)], ends, strict=True)]
    arguments = [each for each in arguments if each]
    is_index = is_call and line[start - 1] == "["
    return line[:start].rstrip(), arguments, line[end:], bool(commas) and not is_index


def _tokens(line: str) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.generate_tokens(io.StringIO(line).readline)
    except (tokenize.TokenError, IndentationError):  # an argument of a statement, or the head of a block
        return
