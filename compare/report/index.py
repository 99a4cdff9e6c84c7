"""The index of the reports: one verdict per line, and the versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compare.report.page import Figure, Page, Tree, code, table, versions


@dataclass(frozen=True)
class Index:
    """The page that lists the others."""

    pages: Sequence[Page]
    file: str = "README.md"
    figures: tuple[Figure, ...] = ()

    def render(self, results: Tree) -> str:
        """Render the index of the pages that have results."""
        covered = [page for page in self.pages if page.covers(results)]
        rows = [
            (f"[{page.title}]({page.file})", "passed" if page.passed(results) else "**FAILED**", page.verdict(results))
            for page in covered
        ]
        backends = sorted({backend for page in covered for backend, _ in page.experiments}, reverse=True)
        parts = [
            "# Reports",
            "What recurrent layers in Keras and PyTorch have in common, where they differ, and how to port them. Every number, "
            "printed array and map on these pages comes from running both frameworks; none is typed by hand.",
            table(("page", "checks", "verdict"), rows),
            f"Run with {versions(results['environment'])}; Keras on {' and '.join(backends)}.",
            "All measured values are in [results.json](results.json): a tree whose leaves have a kind (exact, control, measured or "
            "environment) and a value; a measured value also has the largest error allowed.",
            code(
                "sh",
                "make report                        # make all pages again\n"
                ".venv/bin/gatewise report --check   # check that they still hold",
            ),
        ]
        return "\n\n".join(parts) + "\n"
