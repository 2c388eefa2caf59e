"""Find the messages of errors in the source of layermatrix, for the reference.

Reads Python files. A message is the text that is given to an error (`Misfit("...")`, `document.error(path,
"...")`), directly or through a variable of the same function. A part that is computed is shown as `{...}`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

GROUPS: Mapping[str, str] = {
    "core profiles model spec": "Mistakes in the spec",
    "build jobs analysis": "Mistakes on the command line",
}
RAISED = ("Misfit", "RequestError", "SelectionError", "StartError", "DocumentError", "BaseError", "PageError")
REPORTED = ("error", "_error", "spoil", "_UnusableError", "Objection")  # called with a place first
SENTENCE = " "  # a text without a space is a name, not a message


def of_modules(library: Path, packages: str) -> list[tuple[str, list[str]]]:
    """The messages of these packages: what a module does, and its messages in the order of the file."""
    found = []
    for package in packages.split():
        for path in sorted((library / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            texts = list(dict.fromkeys(_messages(tree)))
            if texts:
                doc = (ast.get_docstring(tree) or path.stem).split("\n\n")[0]
                found.append((" ".join(doc.split()), texts))
    return found


def _messages(tree: ast.Module) -> Iterator[str]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            known = _assigned(function)
            for call in ast.walk(function):
                if isinstance(call, ast.Call):
                    yield from _of_call(call, known)


def _of_call(call: ast.Call, known: Mapping[str, list[ast.expr]]) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in RAISED:
        given, hints = call.args[:1], call.args[1:2]
    elif name in REPORTED:
        given, hints = call.args[1:2], call.args[2:3]
    else:
        return
    texts = [text for expression in given for text in _texts(expression, known) if SENTENCE in text]
    hint = next(iter(_texts(hints[0], known)), "") if hints else ""
    if len(texts) == 1 and SENTENCE in hint:  # of several texts, the hint may belong to one alone
        texts = [f"{texts[0]}; {hint}"]
    yield from texts


def _assigned(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    """The values of the function's variables."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=False))
            for one, own in pairs:
                if isinstance(one, ast.Name):
                    found.setdefault(one.id, []).append(own)
    return found


def _texts(expression: ast.expr, known: Mapping[str, list[ast.expr]], depth: int = 0) -> list[str]:
    """The texts that an expression may have; none if it is no text."""
    if isinstance(expression, ast.Constant):
        return [expression.value] if isinstance(expression.value, str) else []
    if isinstance(expression, ast.IfExp):
        return [*_texts(expression.body, known, depth), *_texts(expression.orelse, known, depth)]
    if isinstance(expression, ast.Name) and depth < 2:
        return [text for value in known.get(expression.id, ()) for text in _texts(value, known, depth + 1)]
    if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Add):
        left = _texts(expression.left, known, depth)
        return [text + "{...}" if not isinstance(expression.right, ast.Constant) else text for text in left]
    if isinstance(expression, ast.JoinedStr):
        return [_joined(expression, known, depth)]
    return []


def _joined(expression: ast.JoinedStr, known: Mapping[str, list[ast.expr]], depth: int) -> str:
    parts = []
    for part in expression.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        elif isinstance(part, ast.FormattedValue):
            inner = part.value
            texts = _texts(inner, known, depth) if isinstance(inner, ast.Name) else []
            parts.append(texts[0] if len(texts) == 1 and SENTENCE in texts[0] else "{...}")
    return "".join(parts)
