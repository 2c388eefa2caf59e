"""The job `completion`: print a script with which bash or zsh completes the command line."""

from __future__ import annotations

from layermatrix.build import completion
from layermatrix.build.targets import Variable, offered_targets, offered_variables
from layermatrix.jobs.base import Job, Plan, Work

SHELLS = {"bash": completion.bash, "zsh": completion.zsh}
SHELL = Variable(
    name="shell", doc="the shell that completes", values=tuple(SHELLS), default="bash",
)  # fmt: skip


def words_of(plan: Plan) -> completion.Words:
    """Every target and variable of this project."""
    offered = offered_targets(plan.project, plan.targets)
    variables = offered_variables(plan.project, plan.compilers, offered)
    values = {one.name: one.offered(plan.project) for one in variables}
    return completion.Words(
        targets={target.name: target.doc for target in offered},
        variables={one.name: one.doc for one in variables},
        values={name: choices for name, choices in values.items() if choices},
    )


def prepare(plan: Plan) -> Work:
    shell = plan.request.text(SHELL)
    return Work((), f"print the completion for {shell}", lambda: _show(plan, shell))


def _show(plan: Plan, shell: str) -> int:
    print(SHELLS[shell](words_of(plan)), end="")
    return 0


JOB = Job(
    name="completion",
    doc='print completion for a shell: eval "$(scons completion shell=bash)"',
    variables=(SHELL,),
    prepare=prepare,
)
