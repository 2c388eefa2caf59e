"""SCons finds its tool `layered` here when this folder's parent was copied into a project as site_scons."""

import sys
from pathlib import Path

SITE = str(Path(__file__).resolve().parents[1])
if SITE not in sys.path:  # the copy has another name than site_scons, and is found through toolpath=
    sys.path.insert(0, SITE)

from layermatrix.site_tools.layered import exists, generate  # noqa: E402

__all__ = ["exists", "generate"]
