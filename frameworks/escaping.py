"""Text that may come from a file or a user, made harmless for a terminal and for Markdown."""

from __future__ import annotations

import re

_MARKUP = re.compile(r"([\\`*_\[\]|~$#])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def printable(text: str) -> str:
    """Escape what acts on a terminal (control and bidi characters, line breaks) and what cannot be encoded."""
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def markdown_code(text: str) -> str:
    r"""Return text as inline code that also fits into a cell of a table: longer fences around backticks, escaped pipes.

    Example:
        >>> from frameworks.escaping import markdown_code
        >>> print(markdown_code("a|b"), markdown_code("a`b"), markdown_code("a\n<b>"))
        `a\|b` `` a`b `` `a\n<b>`
    """
    shown = printable(text).replace("|", "\\|")
    if "`" not in shown:
        return f"`{shown or ' '}`"
    fence = "`" * (1 + max(map(len, re.findall("`+", shown))))
    return f"{fence} {shown} {fence}"


def markdown_text(text: str) -> str:
    r"""Return text that Markdown shows as it is, without markup and HTML.

    Example:
        >>> from frameworks.escaping import markdown_text
        >>> print(markdown_text("*a* | <b>"))
        \*a\* \| &lt;b&gt;
    """
    escaped = _MARKUP.sub(r"\\\1", printable(text))
    return "".join(_ENTITIES.get(each, each) for each in escaped)
