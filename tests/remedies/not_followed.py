"""The remedies that no case follows, by module, subject and text, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

INSTALL = "asks to install a package; tests/test_without_frameworks.py and tests/shipping check the refusal and the command"
REPORT = "of the machinery of the reports, for those who regenerate them in a checkout; their own tests check the refusal"
BACKEND = "needs another Keras backend or version than that of the tests, in another process"
OTHER_FILE = "asks for another file, or for this one to be made anew by the program that wrote it"
INSIDE = "only an error inside gatewise, or a stand-in of a test, leads there"
ELSEWHERE = "needs a full disk or a closed output; the tests of its module check the refusal"
HELPER = "a helper of another name passes its text on; its callers are listed for themselves"

NOT_FOLLOWED: Mapping[str, Mapping[tuple[str, str], str]] = {}
