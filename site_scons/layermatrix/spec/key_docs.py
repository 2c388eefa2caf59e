"""What each key of the spec files means: the text that editors and the reference show.

A record's docstring documents its fields as `name: text.`; `DOCS` has the keys that speak for themselves in
the code but not in a file. Keys with the same meaning in every record stand under `*`.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import Any

from layermatrix.core.kinds import REST, OwnName
from layermatrix.spec.reading import hints, unfolded

DOCS = {
    "*": {
        "doc": "what it is, in a sentence or two",
        "reason": "why; reports and messages show it",
        "title": "its name for readers",
        "unit": "the unit of the figure",
        "better": "whether a higher or a lower figure is better",
        "variant": "names and patterns of variants",
        "mode": "how the code is compiled",
        "compiler": "the C compilers",
        "sanitizer": "the sanitizers that the code is tested with",
        "target": "the machines that the code is compiled for",
        "scripts": "the scripts: a path or a pattern",
        "program": "the name of the benchmark program, without folder and ending",
    },
    "CatalogueSpec": {
        "doc": "what is built from these layers",
        "system": "the library that is built from the layers: its names and its C files",
        "layers": "the layers that variants may have, by name",
        "profile": "the domain whose terms, roles, settings and storages the project uses; "
        "without it, the project declares its own",
        "unit": "the terms of reports: one unit of work, and the figure of speed",
        "reported": "the figures that a variant may quote under `reported`, by name",
        "roles": "the roles of layers, in the order in which a variant lists its layers",
        "keys": "what layers tell requests apart by, each with named values such as `size`",
        "settings": "named enumerations that a variant chooses from under `set`",
        "storages": "how layers store their entries, by name; each has a template in templates/storage/",
        "options": "values that a variant may set besides its layers, by name",
    },
    "System": {
        "name": "the name of the system, a C identifier",
        "skeleton": "the template of the header: the frame around the layers",
        "header": "the name of the generated header, in build/<cell>/gen",
        "library": "the library's name: `x` makes libx.so and libx.a",
        "entries": "the functions of the hot path, by name; budgets use these names",
        "version": "the version in the pkg-config file",
        "soversion": "the version in the shared library's name",
        "unity_skeleton": "the template of the unit that includes all modules, for `layout: unity`",
        "unity": "the name of the generated unit, for `layout: unity`",
        "stats": "the builds in which layers count their work",
        "debug": "the macro and the functions of debug code",
        "forbidden": "functions that no release build may refer to",
    },
    "Entry": {"function": "the function's name in C"},
    "Forbidden": {
        "symbols": "names of functions, or patterns",
        "when": "the variants that the rule applies to; without it, all",
        "allowed": "C files that are exempt",
    },
    "Condition": {
        "toggles": "whether the environment switches layers",
        "options": "whether programs read options from the environment",
    },
    "Allowed": {"source": "a C file of the system"},
    "LayerSpec": {
        "role": "its role; the roles' order is the order of the layers in a variant",
        "storage": "how it stores its entries; without a storage, it has a template of its own",
        "capacity": "entries for each key",
        "bytes": "bytes for each key",
        "toggle": "its switch at run time",
        "needs": "layers that have to be in the same variant",
        "conflicts": "layers that cannot be in the same variant",
    },
    "Unit": {"better": "whether a higher or a lower speed figure is better"},
    "Setting": {
        "values": "its values, words or whole numbers",
        "default": "the value of a variant that sets none",
        "macro": "the C macro with the chosen value",
    },
    "Option": {
        "type": "the type of its values",
        "default": "the value of a variant that sets none",
        "min": "the smallest value of an option of type int",
        "max": "the largest value of an option of type int",
        "env": "the environment variable that `env` as a value refers to",
    },
    "VariantSpec": {
        "doc": "what the variant is for",
        "extends": "the parent: the variant takes every value from it that it does not set itself",
        "keys": "the variant's own table of keys in place of the catalogue's",
        "layers": "the layers in order, for a variant without a parent",
        "remove": "layers of the parent that this variant does not have",
        "add": "layers that this variant has besides those of its parent",
        "set": "settings by name, and `options`, `capacity` and `bytes`",
        "reported": "figures that a report gives for this variant, shown beside the measured ones",
    },
    "AddSpec": {
        "layer": "the layer to add",
        "before": "the layer that it comes before",
        "after": "the layer that it comes after",
    },
    "SetSpec": {
        "options": "values of the catalogue's options; `env`: from the environment at the program's start",
        "capacity": "entries for each key, by layer",
        "bytes": "bytes for each key, by layer",
    },
    "Matrix": {
        "doc": "what the matrix covers",
        "axes": "the values of each axis",
        "rules": "the rules that leave cells out",
        "default": "the cells that are built if the command line selects none",
        "presets": "values of variables under one name, which `preset=` selects",
        "tests": "the test programs of each cell",
        "programs": "real programs that run with the library in place of the system's functions",
        "fuzz": "the fuzzers and their initial inputs",
        "baseline": "what every cell is compared with",
        "loads": "the benchmarks, by name",
        "timing": "how loads are timed",
        "counters": "which loads are simulated, and how much their figures may grow",
        "peers": "other libraries that variants are timed against",
        "tune": "the searches of `tune`, by the variant whose values are tried",
        "recorder": "what records the calls of real programs, for loads that replay them",
        "pages": "pages of docs/ that are printed from a test's output, by name",
    },
    "Axes": {"variant": "names and patterns of the variants of the matrix"},
    "Rule": {"exclude": "the cells that the rule leaves out: those that match every key"},
    "OwnAxis": {"values": "the values by name; a list of names if they add nothing"},
    "AxisValue": {"defines": "macros of C, by name"},
    "RunAxis": {"values": "the values by name; a list of names if they add nothing"},
    "RunValue": {"environment": "the variables of the programs"},
    "Preset": {"set": "the variables of the command line, by name"},
    "Suite": {
        "timeouts": "the limits of single programs, in seconds",
        "cell_timeout": "the limit of all test programs of a cell, in seconds",
    },
    "Quarantine": {
        "quarantine": "tests that may fail until a date, each with its reason and its owner",
        "flaky": "tests that are run again after a failure, and reported as flaky",
    },
    "Programs": {"scripts": "shell scripts: a path or a pattern"},
    "Fuzz": {
        "sources": "the libFuzzer programs: a path or a pattern",
        "corpus": "the folder of initial inputs",
    },
    "Baseline": {"name": "its name in reports"},
    "Limit": {
        "percent": "the allowed growth in percent of the figure",
        "soft": "the allowed growth of a small figure, in the figure's unit",
        "hard": "the largest allowed growth, in the figure's unit",
    },
    "Peers": {
        "variants": "names and patterns of the variants that are timed",
        "libraries": "the other libraries, by name",
        "loads": "the loads, by name",
        "floor": "a library that does the minimum amount of work",
        "groups": "kinds of loads; the command line accepts their names",
    },
    "Peer": {"found_in": "where to look for the library"},
    "PeerLoad": {
        "args": "the program's arguments",
        "counted": "the arguments under the cache simulator, for `ab`, `bisect` and `tune`",
        "link": "how the benchmark gets the library; the same for every library",
        "group": "the kind of load",
    },
    "Scale": {
        "family": "the number in which the loads of the family differ, such as threads",
        "at": "the value of the number in this load",
    },
    "Floor": {"source": "its C file"},
    "Recorder": {"source": "the C file of the library", "program": "the benchmark that replays a trace"},
    "Page": {
        "test": "the test program whose output is the table",
        "mark": "what the lines of the table begin with",
        "variants": "the columns of the table",
    },
    "ExperimentsSpec": {"doc": "what the experiments are about", "experiments": "the experiments, by name"},
    "Experiment": {
        "question": "the question that the measurement answers",
        "decides": "the figure that decides",
    },
}

SUMMARIES = {
    "System": "The library that is built from the layers. Paths are relative to the folder of C sources, "
    "except `skeleton` and `unity_skeleton`, which are relative to templates/.",
    "Timing": "How loads are timed.",
    "Counters": "The loads that are simulated, the caches of the simulated machine, and the limits.",
}


def own_keys(record: Any) -> list[str]:
    """The names of a record's fields that a file may have."""
    found = [(field.name, hints(record)[field.name]) for field in fields(record)]
    return [name for name, hint in found if hint != OwnName and REST not in unfolded(hint)[1]]


def summary(record: Any) -> str:
    """What a record is: its docstring up to the first field."""
    return SUMMARIES.get(record.__name__) or _split(record)[0]


def of_key(record: Any, name: str) -> str:
    """What a key means; empty if nothing documents it."""
    bases: list[Any] = [base for base in record.__mro__ if is_dataclass(base)]
    for one in bases:
        own = DOCS.get(one.__name__, {}).get(name) or _split(one)[1].get(name)
        if own:
            return own
    return DOCS["*"].get(name, "")


def _split(record: Any) -> tuple[str, dict[str, str]]:
    """A docstring's summary, and its text for each field."""
    text = " ".join((record.__doc__ or "").split())
    names = "|".join(own_keys(record))
    heads = rf"(?:^|(?<=[.;] ))((?:{names})(?:, (?:{names}))*): "
    start, *parts = re.split(heads, text)
    found = {}
    for listed, doc in zip(parts[::2], parts[1::2], strict=True):
        found.update(dict.fromkeys(listed.split(", "), doc.strip().rstrip(".;")))
    return start.strip(), found
