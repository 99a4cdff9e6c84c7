"""Every link of the README leads somewhere.

Covers: `README.md`.
"""

from __future__ import annotations

import re

import pytest

from tests.test_readme import README, ROOT


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(((?!http)[^)#]+)\)", README))))
def test_a_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).is_file()
