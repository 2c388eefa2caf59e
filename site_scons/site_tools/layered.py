"""SCons tool `layered`: the way by which SCons finds `layermatrix.scons.tool`."""

import sys
from pathlib import Path

SITE = str(Path(__file__).resolve().parents[1])
if SITE not in sys.path:  # when another project has this tool by toolpath=
    sys.path.insert(0, SITE)

from layermatrix.scons.tool import exists, generate  # noqa: E402

__all__ = ["exists", "generate"]
