"""The settings of every Jinja environment: an unknown name is an error, and tags leave no empty lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment


def environment(source: Path | BaseLoader, **settings: Any) -> Environment:
    """The templates of a folder or of another loader. settings: further settings of the environment."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(source) if isinstance(source, Path) else source,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **settings,
    )
