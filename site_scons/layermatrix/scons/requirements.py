"""Check the requirements of the tool: the versions of Python and SCons, and the installed packages.

The command `scons` may belong to a Python without these packages, and most of them are imported late in a
build. So this check runs first and reports everything that is missing in one line.
"""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path

import SCons
import SCons.Errors

from layermatrix.core.command import WRAPPER, scons

PYTHON = (3, 10)
SCONS = (4, 4)
# module -> the package that provides it. pyproject.toml has the packages' versions.
PACKAGES = {
    "yaml": "pyyaml",
    "jinja2": "jinja2",
    "pydantic": "pydantic",
    "rich": "rich",
    "elftools": "pyelftools",
    "capstone": "capstone",
    "covertable": "covertable",
    "scipy": "scipy",
    "vl_convert": "vl-convert-python",
}


def check() -> None:
    """Raise SCons's UserError, which ends the run, if a requirement is missing."""
    trouble = _trouble()
    if trouble:
        wrapper = f"; or run {scons()}, which has its own" if Path(WRAPPER).is_file() else ""
        raise SCons.Errors.UserError(f"the tool 'layered' {trouble}{wrapper}")


def _trouble() -> str | None:
    if sys.version_info < PYTHON:
        return f"needs Python {_dotted(PYTHON)} or newer; this is {_dotted(sys.version_info[:3])}"
    version = tuple(int(part) for part in SCons.__version__.split(".")[:2])
    if version < SCONS:
        return f"needs SCons {_dotted(SCONS)} or newer; this is {SCons.__version__}"
    missing = [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        pip = f"{shlex.quote(sys.executable)} -m pip install {' '.join(missing)}"
        return f"needs packages that this Python does not have: {', '.join(missing)}; install them: {pip}"
    return None


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
