"""Every example of the README runs as it stands, and every link in it leads somewhere.

Covers: `README.md`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.frameworks

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("example", [text for text in EXAMPLES if "def test_" not in text])
def test_an_example_runs_as_it_stands(example: str) -> None:
    exec(compile(example, "README.md", "exec"), {"__name__": "__readme__"})  # noqa: S102  the README is ours


def test_the_first_example_prints_the_map_that_its_comment_promises(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(EXAMPLES[0], "README.md", "exec"), {"__name__": "__readme__"})  # noqa: S102  the README is ours
    printed = capsys.readouterr().out
    for keras, torch in (("result[1]", "h_n[0]"), ("result[2]", "c_n[0]"), ("result[3]", "h_n[1]")):
        assert re.search(rf"{re.escape(f'`{keras}`')}.*{re.escape(f'`{torch}`')}", printed)


def test_the_pytest_example_passes_under_pytest(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")  # the faster to import
    (example,) = [text for text in EXAMPLES if "def test_" in text]
    pytester.makepyfile(example)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_the_table_of_returns_is_what_the_map_says() -> None:
    import keras

    from compare import returns_map

    rows = re.findall(r"^\| `(.*?)` +\|.*?\| (.*?) +\|$", README, flags=re.MULTILINE)
    assert len(rows) == 7
    for calls, pytorch in rows:
        for call in calls.split("`, `"):
            layer = eval(call, {"__builtins__": {}}, {**vars(keras.layers), "n": 4})  # noqa: S307  the README is ours
            mapping = returns_map(layer)
            assert re.findall(r"`(.*?)`", pytorch)[: len(mapping.items)] == [item.pytorch for item in mapping.items]
            assert ("flip" in pytorch) == ("flip" in mapping.call)
