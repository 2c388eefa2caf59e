"""The command `layermatrix new project=FOLDER`, for a folder that has no SConstruct yet.

In a project, SCons is the command: `scons -h`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from layermatrix.jobs import new
from layermatrix.jobs.starting_points import StartError

USAGE = "usage: layermatrix new project=FOLDER; in a project's folder, `scons -h` lists every command"


def main() -> int:
    words = sys.argv[1:]
    if len(words) != 2 or words[0] != "new" or not words[1].startswith("project="):
        print(USAGE, file=sys.stdout if words in (["-h"], ["--help"]) else sys.stderr)
        return 0 if words in (["-h"], ["--help"]) else 2
    try:
        print("\n".join(new.new_project(Path(words[1].removeprefix("project=")))))
    except (StartError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0
