"""The rules of the spec that the loader checks and that no JSON Schema expresses.

Each has the messages of the files that break it. A test compares the loader and the schemas with this list,
and the reference in docs/ prints it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

BEYOND: Mapping[str, tuple[str, ...]] = {
    "A name refers to something that the project has: a layer, a variant, a load, a role.": (
        r"^unknown (?!key )\w[\w ]* '",
    ),
    "A name is given once.": (
        r" is in .* twice$",
        r" is given twice$",
        r" is the name of .*, too$",
        r" is taken by '",
    ),
    "A value that the catalogue declares (a setting, an option, a capacity) is of the declared type.": (
        r"^'[\w-]+' must be ",
        r"^(option|layer|reported figure) '.*' (must be|has no|is longer)",
        r"'s capacity is ",
        r"^'\w+' has no environment",
    ),
    "A default is one of the values that it belongs to.": (r" has the default ", r"^'default' must be "),
    "Of two limits, the lower one is not above the upper one.": (
        r"^'max' is less than",
        r"^'min' is .* begins at 1 or more$",
        r"is greater than 'hard'$",
    ),
    "The number of sets and the line of a cache are powers of two.": (r" must be \[bytes, ways, line\]",),
    "A layer does not need or exclude itself, or need what it excludes.": (
        r"is in its own '",
        r"^layer '\w+' needs '\w+' as well$",
    ),
    "A layer has the storage and the bound that its role and its storage require.": (
        r"^a layer with(out)? ",
        r"^storage \w+ (is not bounded|needs )",
        r"^storage '\w+' does not go",
    ),
    "The layers of a variant fit together, and serve every key.": (
        r"^layer '\w+' (\(|needs|conflicts|serves|is not in)",
        r"^no layer has the role",
        r"(stored by no|served by no|served only by) ",
        r" is in this variant already$",
        r"^circular extends",
    ),
    "The keys have the values that the profile requires.": (
        r"^key .* (size|larger|has)",
        r"^'layout: unity' needs",
        r"^the range ",
        r"'size' (must be|has)",
        r"has no 'size'",
    ),
    "The system names a source.": (r"^'system' names no source$",),
    "The named files exist.": (
        r"^there is no file '",
        r"^no file matches '",
        r"^no C file is called '",
        r" has no function '",
    ),
    "A regular expression compiles, and does not match everything.": (
        r"is not a regular expression",
        r"matches even the empty",
    ),
    "What is compared is timed, and belongs together.": (
        r" so that it is not timed$",
        r"^load '\w+' has no 'group'",
        r"^no load is of the group ",
        r"^load '\w+' is at \d+ of ",
        r"is not one of the experiment's variants$",
    ),
    "A key has a value, and a whole number has no decimal point.": (r", not nothing$", r" not -?\d+\.0*$"),
}


def is_beyond(message: str) -> bool:
    """Whether a message of the loader belongs to one of these rules."""
    return any(re.search(one, message) for patterns in BEYOND.values() for one in patterns)
