"""Keep compiled Jinja templates as Python keeps its compiled modules: in __pycache__, beside the sources.

Compiling the templates of a report takes a fifth of a second, and a report is written at the end of most
jobs.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import sys
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket, BytecodeCache

# Jinja itself compares the source and Python's version. Raise the number when the settings of an environment
# change.
VERSION = f"{sys.implementation.cache_tag}-jinja{jinja2.__version__}-1"
DAMAGE = (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, ImportError, IndexError)


class CompiledTemplates(BytecodeCache):
    """The compiled templates of one folder. They are made again if they cannot be read, and not kept if they
    cannot be written, or if Python itself keeps no compiled modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "__pycache__"

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        return name

    def load_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):
            kept = self._file(bucket).read_bytes()
            try:
                bucket.load_bytecode(io.BytesIO(kept))
            except DAMAGE:
                bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        if sys.dont_write_bytecode:
            return
        file = self._file(bucket)
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            with draft.open("wb") as stream:
                bucket.write_bytecode(stream)
            draft.replace(file)

    def _file(self, bucket: Bucket) -> Path:
        return self.folder / f"{bucket.key}.{VERSION}"
