"""Write the variant that a job found to be the best, as a commented file in variants/."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layermatrix.build.request import RequestError
from layermatrix.build.targets import Variable
from layermatrix.core import records
from layermatrix.core.command import scons
from layermatrix.core.errors import SpecErrors

if TYPE_CHECKING:
    from layermatrix.jobs.base import Plan

FOLDER = "variants"
WRITE = Variable(
    name="write", doc="write the best variant that was found to variants/NAME.yaml", values="a new name"
)


def check(plan: Plan, name: str) -> None:
    """Refuse a name that is no variant's, or is taken."""
    from layermatrix.jobs import starting_points
    from layermatrix.jobs.starting_points import StartError
    from layermatrix.spec import schema

    try:
        starting_points.check_name("write", name)
    except StartError as error:
        raise RequestError(str(error)) from None
    if schema.form_of(f"{name}.yaml") != schema.VARIANT or (plan.root / FOLDER / f"{name}.yaml").exists():
        raise RequestError(f"write={name}: variants/{name}.yaml exists: choose another name")


def write(plan: Plan, name: str, comments: Sequence[str], text: str) -> str:
    """Write the variant, check that the project can be read with it, and return a line for the user."""
    from layermatrix.spec import schema
    from layermatrix.spec.loader import load_project

    check(plan, name)
    path = plan.root / FOLDER / f"{name}.yaml"
    first = [schema.comment(schema.VARIANT)] if (plan.root / schema.FOLDER).is_dir() else []
    records.write_text(path, "\n".join([*first, *comments, text.rstrip("\n")]) + "\n")
    try:
        load_project(plan.root)
    except SpecErrors as errors:
        path.unlink()
        raise RequestError(f"write={name}: {errors.errors[0]}") from None
    return f"written: {FOLDER}/{name}.yaml; build it with {scons(f'variant={name}', 'libs')}"
