"""The index of the reports: a verdict a line, and the versions."""

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
            "What is the same between recurrent layers in Keras and PyTorch, what is not, and how to carry it over. The numbers, "
            "the printed arrays and the maps on these pages were made by running both frameworks; no number is written by hand.",
            table(("page", "checks", "verdict"), rows),
            f"Run with {versions(results['environment'])}; Keras on {' and '.join(backends)}.",
            "Everything that the pages say stands as data in [results.json](results.json).",
            code(
                "sh",
                "make report                        # make them again\n.venv/bin/gatewise report --check   # do they still hold?",
            ),
        ]
        return "\n\n".join(parts) + "\n"
