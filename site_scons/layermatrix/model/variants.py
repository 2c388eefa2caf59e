"""Resolved variants: a named choice of layers, keys and settings. Templates print them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

from layermatrix.model import budgets
from layermatrix.model.budgets import Budget, BudgetLimit
from layermatrix.model.layers import Key, Layer, Option, Role
from layermatrix.model.system import Forbidden, System

UNPRINTED = ("reported", "budget", "roles")  # fields of a variant that templates do not see


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A named choice of layers and settings.

    settings: setting -> chosen value. numbers: setting -> its number in C. macros: macro -> its number in C.
    extra: values that the catalogue's profile computes for templates.
    """

    name: str
    doc: str
    source: str  # variants/<name>.yaml
    lineage: tuple[str, ...]  # the variants that it extends, from the root on, and itself at the end
    keys: tuple[Key, ...]
    layers: tuple[Layer, ...]
    settings: Mapping[str, str | int] = field(hash=False)
    numbers: Mapping[str, int] = field(default_factory=dict, hash=False)
    macros: Mapping[str, int] = field(default_factory=dict, hash=False)
    options: Mapping[str, Option] = field(hash=False)
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    system: System
    roles: Mapping[str, Role] = field(hash=False)
    reported: Mapping[str, str] = field(default_factory=dict, hash=False)
    budget: Budget = field(default_factory=dict, hash=False)

    @property
    def toggles(self) -> str:
        """`env`: the environment switches layers at run time; `fixed`: layers are always on."""
        return str(self.settings["toggles"])

    @property
    def debug_output(self) -> str:
        """`always`, `guarded`, or `absent` (see `without_debug`)."""
        return str(self.settings["debug_output"])

    @property
    def layout(self) -> str:
        """`unity` (one unit includes all modules) or `modules` (each is compiled separately)."""
        return str(self.settings["layout"])

    @property
    def fast_path(self) -> str:
        """`inline`: the inlined path has every layer; `ultra`: it has only the first one."""
        return str(self.settings["fast_path"])

    @property
    def hot_layers(self) -> tuple[Layer, ...]:
        """The layers of the inlined path."""
        return self.layers if self.fast_path == "inline" else self.layers[:1]

    def with_role(self, role: str) -> tuple[Layer, ...]:
        """The layers with this role."""
        return tuple(layer for layer in self.layers if layer.role == role)

    def gaps(self) -> Iterator[tuple[tuple[str, ...], list[str], str]]:
        """The keys that lack a layer of some roles: (the roles, the names of the keys, how they are instead).
        A role may require storage, and a layer of the last role must answer every request."""
        last = list(self.roles)[-1]
        storing = [name for name, role in self.roles.items() if role.storage == "required"]
        fixed = tuple(layer for layer in self.layers if not (self.is_env and layer.toggle))
        for roles, layers, how in (
            (storing, self.layers, f"stored by no {' and no '.join(storing)} layer"),
            ([last], self.layers, f"served by no {last} layer"),
            ([last], fixed, f"served only by {last} layers that can be switched off"),
        ):
            served = {key.index for layer in layers if layer.role in roles for key in layer.keys}
            missing = [key.name for key in self.keys if key.index not in served]
            if roles and missing:
                yield tuple(roles), missing, how

    @property
    def is_env(self) -> bool:
        """Whether the environment switches layers at run time."""
        return self.toggles == "env"

    @property
    def toggled_layers(self) -> tuple[Layer, ...]:
        """The layers that the environment can switch off."""
        return tuple(layer for layer in self.layers if layer.toggle and self.is_env)

    @property
    def env_options(self) -> tuple[Option, ...]:
        """The options that programs read from the environment."""
        return tuple(option for option in self.options.values() if option.env)

    @property
    def forbidden(self) -> tuple[Forbidden, ...]:
        """The system's rules that apply to this variant."""
        toggles = "env" if self.toggled_layers else "fixed"
        options = "env" if self.env_options else "fixed"
        return tuple(
            rule for rule in self.system.forbidden if rule.when is None or rule.when.holds(toggles, options)
        )

    def without_debug(self) -> Variant:
        """The variant without any debug code, guarded or not."""
        return replace(self, settings={**self.settings, "debug_output": "absent"})

    @cached_property
    def as_value(self) -> str:
        """Everything that a template can see, as one line of JSON. The build depends on this text."""
        return json.dumps(plain(self, leave_out=UNPRINTED), separators=(",", ":"))

    def first_layer(self, role: str | None) -> Layer | None:
        """The first layer with this role; without a role, the first of all; None if there is none."""
        return next((layer for layer in self.layers if role in (None, layer.role)), None)

    def limits(self, mode: str, compiler: str) -> dict[str, dict[str, BudgetLimit]]:
        """The budget's limits for a cell: entry -> metric -> limit."""
        return budgets.limits(self.budget, mode, compiler)


def plain(record: Any, leave_out: tuple[str, ...] = ()) -> Any:
    """A record, with the records in it, as dicts and lists, without the fields `leave_out`."""
    if is_dataclass(record):
        names = (part.name for part in fields(record) if part.name not in leave_out)
        return {name: plain(getattr(record, name)) for name in names}
    if isinstance(record, Mapping):
        return {name: plain(value) for name, value in record.items()}
    if isinstance(record, (tuple, list)):
        return [plain(value) for value in record]
    return record
