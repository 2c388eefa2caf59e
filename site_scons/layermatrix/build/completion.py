"""Print the completion of the command line for bash and zsh, from the variables and targets that `-h` shows.

Reads plain data; returns a script. It offers targets, `name=`, and after `name=` the values of a comma list.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from layermatrix.core.command import WRAPPER

COMMANDS = ("scons", WRAPPER, f"./{WRAPPER}")


@dataclass(frozen=True)
class Words:
    """What can be completed. targets: name -> what it does. variables: name -> what it is. values: variable
    -> its values; a variable without an entry accepts any text, such as a path."""

    targets: Mapping[str, str]
    variables: Mapping[str, str]
    values: Mapping[str, Iterable[str]]


def bash(words: Words) -> str:
    """The script for bash. The names are words without spaces, as compgen needs them."""
    names = " ".join([*words.targets, *(f"{name}=" for name in words.variables)])
    return BASH.format(
        names=shlex.quote(names), cases=_cases(words, "choices={};;"), commands=" ".join(COMMANDS)
    )


def zsh(words: Words) -> str:
    """The script for zsh, which shows what each target and variable is, too."""
    targets = " ".join(_described(name, doc) for name, doc in words.targets.items())
    variables = " ".join(_described(f"{name}=", doc) for name, doc in words.variables.items())
    return ZSH.format(
        targets=targets,
        variables=variables,
        cases=_cases(words, "choices=({});;", quoted=False),
        commands=" ".join(COMMANDS),
    )


def _described(name: str, doc: str) -> str:
    return shlex.quote(f"{name}:{doc}")


def _cases(words: Words, form: str, *, quoted: bool = True) -> str:
    """A line of `case` for each variable with values."""
    lines = []
    for name, values in words.values.items():
        known = [value for value in values if re.fullmatch(r"[\w.+-]+", value)]
        text = " ".join(known)
        lines.append(f"        {name}) {form.format(shlex.quote(text) if quoted else text)}")
    return "\n".join(lines)


BASH = """\
# Completion of scons for bash: eval "$(scons completion shell=bash)"
_layered_scons() {{
    local word="${{COMP_LINE:0:COMP_POINT}}" choices="" done="" name value
    word="${{word##*[[:space:]]}}"
    COMPREPLY=()
    if [[ $word != *=* ]]; then
        COMPREPLY=($(compgen -W {names} -- "$word"))
        [[ ${{#COMPREPLY[@]}} == 1 && ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace 2>/dev/null
        return 0
    fi
    name="${{word%%=*}}" value="${{word#*=}}"
    case $name in
{cases}
    esac
    [[ $value == *,* ]] && done="${{value%,*}},"
    # bash replaces what follows the last `=`, unless `=` does not separate words
    [[ $COMP_WORDBREAKS == *=* ]] || done="$name=$done"
    [[ $choices ]] && COMPREPLY=($(compgen -P "$done" -W "$choices" -- "${{value##*,}}"))
    return 0
}}
complete -o bashdefault -o default -F _layered_scons {commands}
"""

ZSH = """\
#compdef {commands}
# Completion of scons for zsh: eval "$(scons completion shell=zsh)", after compinit
_layered_scons() {{
    local -a choices targets variables
    local name
    if [[ $PREFIX != *=* ]]; then
        targets=({targets})
        variables=({variables})
        _describe -t targets target targets
        _describe -t variables variable variables -S ''
        return
    fi
    name="${{PREFIX%%=*}}"
    compset -P '*='
    case $name in
{cases}
    esac
    compset -P '*,'
    if (( $#choices )); then compadd -q -S , -a choices; else _files; fi
}}
compdef _layered_scons {commands}
"""
