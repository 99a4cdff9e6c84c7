"""Where the user's code is running."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import FrameType

from frameworks.models.tracing.patching import user_namespaces
from frameworks.models.tracing.steps import Line


class Places:
    """The files of some classes, and where in them a call is.

    Args:
        classes: the classes of the user's modules.
    """

    def __init__(self, classes: Sequence[type]) -> None:
        """Find the global names of their code."""
        self.namespaces = {id(names): names for names in user_namespaces(classes)}

    def owns(self, frame: FrameType) -> bool:
        """Return whether a frame runs the user's code."""
        return id(frame.f_globals) in self.namespaces

    def frame(self) -> FrameType | None:
        """Return the frame of the user's code that is running."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not self.owns(frame):
            frame = frame.f_back
        return frame

    def line(self) -> Line:
        """Return the line of the user's code that is running."""
        frame = self.frame()
        return Line(frame.f_code.co_filename, frame.f_lineno) if frame else Line("", 0)
