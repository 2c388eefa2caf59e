"""The search of `tune`: Optuna proposes values, learns from each result, and keeps them in an SQLite file.

The only module that uses Optuna, which is an extra of the package. It is imported when a search begins.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.request import RequestError
from layermatrix.core.command import WRAPPER, scons

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

    from layermatrix.model.tuning import Values

PACKAGE = "optuna"
ENOUGH = 8  # results, before their importance means anything
SEED = 1  # the same search proposes the same values
REASON = "reason"  # a trial's attribute: why it has no result
Point = Mapping[str, "str | int"]  # the values of one trial, by name


class InfeasibleError(Exception):
    """A trial has no result; str() is the reason, on one line."""


@dataclass(frozen=True)
class Tried:
    """A finished trial. result: lower is better; None if it has none, for the reason."""

    number: int
    point: Point
    result: float | None
    reason: str = ""


def check_installed() -> None:
    """Raise RequestError with the command that installs Optuna, if it is missing."""
    if importlib.util.find_spec(PACKAGE):
        return
    how = f"{shlex.quote(sys.executable)} -m pip install 'layermatrix[tune]'"
    if Path(WRAPPER).is_file():
        how = f"{scons('tune')} installs it"
    raise RequestError(f"tune needs the PyPI package {PACKAGE}, which is not installed: {how}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna without its log, and without its notes about interfaces that may still change."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


class Search:
    """A search in this file. name: changes with everything that its results depend on. ranges: the values to
    try, by name."""

    def __init__(self, file: Path, name: str, ranges: Mapping[str, Values]) -> None:
        import optuna

        file.parent.mkdir(parents=True, exist_ok=True)
        self.ranges = ranges
        with _quiet():
            storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
            self.study: Study = optuna.create_study(study_name=name, storage=storage, load_if_exists=True)
            self._end_unfinished()
            seed = SEED + len(self.study.trials)  # a resumed search proposes other values than at its start
            self.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_first(ranges))

    def _end_unfinished(self) -> None:
        """End the trials of a run that was killed."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            self.study.tell(trial.number, state=TrialState.FAIL)

    @property
    def finished(self) -> list[Tried]:
        """The finished trials; those that an interrupt ended do not count."""
        from optuna.trial import TrialState

        return [_tried(one) for one in self.study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))]

    @property
    def best(self) -> Tried | None:
        """The trial with the lowest result; of equal ones the first."""
        known = [one for one in self.finished if one.result is not None]
        return min(known, key=lambda one: (one.result, one.number), default=None)

    def start_at(self, point: Point) -> None:
        """Try these values first, unless they were tried."""
        with _quiet():
            self.study.enqueue_trial(dict(point), skip_if_exists=True)

    def step(self, measure: Callable[[Point], float]) -> Tried:
        """One trial. measure: returns the result of its values, or raises InfeasibleError."""
        from optuna.trial import TrialState

        with _quiet():
            trial = self.study.ask()
            point = {name: _proposed(trial, name, values) for name, values in self.ranges.items()}
            try:
                result = measure(point)
            except InfeasibleError as error:
                trial.set_user_attr(REASON, str(error))
                return _tried(self.study.tell(trial, state=TrialState.PRUNED))
            except BaseException:
                self.study.tell(trial, state=TrialState.FAIL)
                raise
            return _tried(self.study.tell(trial, result))

    def importance(self) -> dict[str, float] | str:
        """How much each value matters for the result, as shares of 1; or why that is not known."""
        import optuna

        if len(self.ranges) < 2:
            return "there is only one value to try"
        results = [one.result for one in self.finished if one.result is not None]
        if len(results) < ENOUGH:
            return f"{len(results)} results are too few; {ENOUGH} are needed"
        if len(set(results)) < 2:
            return "all results are equal"
        try:
            with _quiet():
                return optuna.importance.get_param_importances(
                    self.study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
                )
        except (ValueError, RuntimeError) as error:
            return str(error)


def _first(ranges: Mapping[str, Values]) -> int:
    """The number of random trials before the search learns: more where there is more to try."""
    return min(10, 2 + 2 * len(ranges))


def _proposed(trial: Trial, name: str, values: Values) -> str | int:
    if values.choices:
        chosen = trial.suggest_categorical(name, values.choices)
        assert isinstance(chosen, (str, int))
        return chosen
    return trial.suggest_int(name, values.low, values.high, step=values.step or 1, log=bool(values.log))


def _tried(trial: FrozenTrial) -> Tried:
    reason = str(trial.user_attrs.get(REASON, ""))
    result = None if reason else trial.value
    return Tried(trial.number, dict(trial.params), result, reason)
