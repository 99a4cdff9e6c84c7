"""What a run finds cannot change the structure of a page."""

from __future__ import annotations

import re

from compare.report.page import table
from compare.report.results import measured
from frameworks.escaping import markdown_code

HOSTILE = "a\x1b[31m\n| forged | passed |\u202e`"


def test_a_cell_stays_in_its_row_and_column() -> None:
    text = table(("layer", "verdict"), [(markdown_code(HOSTILE), "failed"), (HOSTILE, measured(0.5, 1.0)), ("b", "passed")])
    lines = text.splitlines()
    assert len(lines) == 5
    assert all(line.isprintable() and len(re.findall(r"(?<!\\)\|", line)) == 3 for line in lines)
    assert "0.5" in lines[3]
