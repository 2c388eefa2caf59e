"""End the run while SConstruct is read: the question is answered, or nothing can be built.

SCons prints errors of its own with a place in SConstruct; these are mistakes in other files, or none.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def refuse(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(2)


def answer(text: str) -> NoReturn:
    print(text)
    sys.exit(0)
