"""Names of any kind are harmless on a terminal and on a page."""

from __future__ import annotations

import re

import pytest

from frameworks.errors import GatewiseError
from frameworks.escaping import markdown_code, markdown_text, printable

HOSTILE = "a\x1b[31m\r\nrow | x\u202e\u2028\x85b`<script>alert(1)</script>\ud800**b**[l](u)"


def test_what_acts_on_a_terminal_is_escaped_and_the_rest_is_kept() -> None:
    shown = printable(HOSTILE)
    assert shown.isprintable()
    assert shown.startswith("a\\x1b[31m\\r\\nrow | x\\u202e\\u2028\\x85b`<script>")
    assert shown.encode()
    assert printable("größe, 語, a|b") == "größe, 語, a|b"


def test_a_message_is_one_line_whatever_is_quoted_in_it() -> None:
    error = GatewiseError.because(HOSTILE, must="be\nshort", but="is \x1b[2J", remedy="Choose\tanother.")
    assert str(error).isprintable()


@pytest.mark.parametrize("text", [HOSTILE, "`", "``a`", "|", "a|`b", "x" * 9])
def test_code_is_one_span_in_one_cell(text: str) -> None:
    code = markdown_code(text)
    assert "\n" not in code
    assert not re.search(r"(?<!\\)\|", code)
    fence = re.match("`+", code)
    assert fence is not None
    inside = code[len(fence[0]) : -len(fence[0])]
    assert code.endswith(fence[0])
    assert len(fence[0]) not in map(len, re.findall("`+", inside))  # nothing inside ends the span
    assert inside.strip().replace("\\|", "|") == printable(text)


def test_markup_in_text_is_shown_and_not_followed() -> None:
    text = markdown_text(HOSTILE)
    assert text.isprintable()
    assert "<" not in text
    assert not re.search(r"(?<!\\)[`*\[\]|]", text)
    assert markdown_text("lstm (2 layers)") == "lstm (2 layers)"


def test_the_lines_of_an_error_stay_lines_and_a_name_in_one_adds_none() -> None:
    hostile = "rnn\n\x1b[2J"
    lines = [f"gatewise.convert({hostile})", "Keep the rest."]
    error = GatewiseError.because(hostile, must="be one", but="is two", remedy="Convert them:", lines=lines)
    first, *others = str(error).split("\n")
    assert first == r"rnn\n\x1b[2J must be one, but is two. Convert them:"
    assert others == [r"gatewise.convert(rnn\n\x1b[2J)", "Keep the rest."]
