"""Every remedy of a refusal or warning was followed, and led to the right result, or stands in a list with the reason why not.

Covers: `compare`, `frameworks`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from gatewise import adapt
from tests.remedies.collecting import Remedy, advice, advice_in, collect, helpers_of, remedies
from tests.remedies.following import CASES, follow, refuses
from tests.remedies.not_followed import NOT_FOLLOWED

pytestmark = pytest.mark.frameworks

HOW_TO = """\
These remedies were never followed. Write a case for each in tests/remedies/cases_*.py, as following.py shows. If no test can
follow one, enter it in tests/remedies/not_followed.py with the reason:
{}"""

Followed = Callable[[str], frozenset[Remedy]]

for _path in sorted(Path(__file__).parent.glob("cases_*.py")):
    import_module(f"tests.remedies.{_path.stem}")


@pytest.fixture(scope="session")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """Run a case once."""
    return cache(lambda name: follow(name, tmp_path_factory.mktemp("remedy")))


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_remedy_leads_on(name: str, followed: Followed) -> None:
    assert followed(name), "a case follows at least one remedy"


def test_every_remedy_has_a_case_or_a_reason(followed: Followed) -> None:
    cases = {remedy for name in CASES for remedy in followed(name)}
    listed = {Remedy(module, *key) for module, texts in NOT_FOLLOWED.items() for key in texts}
    stated = remedies().keys() | advice()
    left = stated - cases - listed
    assert not left, HOW_TO.format(
        "\n".join(sorted(f"{each.module!r}: {{({each.subject!r}, {each.text!r}): REASON}}" for each in left))
    )
    assert sorted(map(str, listed - stated)) == [], "these remedies are no longer stated, or in other words"
    assert sorted(map(str, listed & cases)) == [], "these are followed by a case"


def test_every_listed_remedy_has_a_reason() -> None:
    assert all(len(reason) > 20 for texts in NOT_FOLLOWED.values() for reason in texts.values())


SOURCE = """
def refuse(subject, remedy):
    return Error.because(subject, must="a", but="b", remedy=f"{remedy}.")

def check():
    refuse("the layer", "Build it")
    Error.because(f"layer {3}", must="a", but="b", remedy="Leave it out.")
    warnings.warn(f"{4} is not carried over.")
    run("a process", remedy="Free memory.")
"""


def test_a_remedy_is_found_in_a_call_in_a_helper_and_in_a_warning() -> None:
    tree = ast.parse(SOURCE)
    found = [remedy for remedy, _ in collect("m.py", tree, dict(helpers_of(tree)))]
    assert found == [
        Remedy("m.py", "the layer", "Build it"),
        Remedy("m.py", "layer {}", "Leave it out."),
        Remedy("m.py", "a warning", "{} is not carried over."),
        Remedy("m.py", "a process", "Free memory."),
    ]


CAVEATS = '''
def read(layer):
    """Open the file."""
    yield f"the file does not state {layer}. Options can override it."
    yield "its class is not torch's: the file does not say what its code does."
    raise NotUnderstoodError("it has one bias: save it as bias_ih")
    raise Error.because("a", must="b", but="c", remedy="Open another file.")
'''


def test_a_caveat_is_found_if_it_tells_the_user_to_do_something() -> None:
    assert sorted(advice_in(ast.parse(CAVEATS))) == [
        "it has one bias: save it as bias_ih",
        "the file does not state {}. Options can override it.",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("Pass the layer.", "the remedy is 'Pass the layer object itself"), ("Pass the layer object *", None)],
    ids=["other words", "the same words"],
)
def test_a_case_that_expects_another_remedy_fails(text: str, problem: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong() -> None:
        with refuses(text):
            adapt(3)

    monkeypatch.setitem(CASES, "wrong", wrong)
    if problem is None:
        assert {remedy.module for remedy in follow("wrong", None)} == {"frameworks/registry.py"}
    else:
        with pytest.raises(AssertionError, match=problem):
            follow("wrong", None)
