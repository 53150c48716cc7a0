"""Collects what asmsetup can print when something is wrong, from its own sources.

A message is the first line of what an error is made with, or a warning. What is filled in
is written as HOLE. Python is read as a syntax tree, and the names and functions that a
message comes from are followed; the macros' messages are the arguments of ``_py_misuse``.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from functools import cache

from tools.matrix.interpreters import REPOSITORY

PACKAGE = REPOSITORY / "asmsetup"
HOLE = "…"
"""Stands in a message for what is filled in."""
_WARNINGS = frozenset(("_warn", "_warn_once", "warn", "warning", "announce"))
_OF_PROGRAMMERS = frozenset(("AttributeError", "IndexError", "KeyError", "TypeError", "ValueError"))
_DEEP = 12
_MOST = 16
Functions = dict[str, list[ast.FunctionDef]]
Names = dict[str, list[ast.expr]]


@cache
def python_messages() -> dict[str, str]:
    """Return where each message of the Python sources comes up, by its text."""
    trees = {
        path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))
    }
    everywhere: Functions = {}
    for tree in trees.values():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                everywhere.setdefault(node.name, []).append(node)
    found: dict[str, str] = {}
    for path, tree in trees.items():
        for line, text in _Source(tree, everywhere).messages():
            found.setdefault(text, f"{path.relative_to(REPOSITORY)}:{line}")
    return found


@cache
def macro_messages() -> dict[str, str]:
    """Return the file of each message of the macros, by its text."""
    found: dict[str, str] = {}
    for path in sorted((PACKAGE / "include").rglob("*.inc")):
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for parts in re.findall(
            r"^\s*(?:_py_misuse(?:_size)?|%fatal|_py_refuse \w+,) (.*)$", text, re.M
        ):
            if message := _of_parts(parts):
                found.setdefault(message, str(path.relative_to(REPOSITORY)))
    return found


@cache
def raised_messages() -> dict[str, str]:
    """Return the file of each text that a typed function raises an exception with, by its text."""
    found: dict[str, str] = {}
    for path in sorted((PACKAGE / "include").rglob("*.inc")):
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for message in re.findall(
            r"^ +(?:_py_raise\w* +|PyRaise +|%strcat _py_message |db +(?=\"an? ))(.*)$", text, re.M
        ):
            parts = re.sub(r"^PyExc_\w+, *", "", message).replace(", 0", "")
            strings = re.match(r"(?:\"[^\"]*\"|\w+|, )+", parts)
            if strings and (known := re.sub(rf"(?:%[.\w]+|{HOLE})+", HOLE, _of_parts(strings[0]))):
                found.setdefault(known, str(path.relative_to(REPOSITORY)))
    return found


def _of_parts(parts: str) -> str:
    """Return the text of parts between commas: strings, and tokens that are filled in."""
    pieces = re.findall(r"\"([^\"]*)\"|'([^']*)'|([^\s,\"'][^,\"]*)", parts)
    texts = (double or single or HOLE for double, single, _ in pieces)
    return _tidy("".join(texts).replace("%%", "%"))


def _tidy(text: str) -> str:
    """Return the first line; nothing of a text that is filled in as a whole."""
    first = text.strip(" :\n").removeprefix("warning: ").split("\n")[0]
    first = re.sub("^a library\\b", HOLE, first)
    first = re.sub(f"{HOLE}[{HOLE} ]*{HOLE}", HOLE, first)
    return first if len(re.findall(r"[A-Za-z]{2,}", first)) > 1 else ""


class _Source:
    """One Python source."""

    def __init__(self, tree: ast.Module, everywhere: Functions) -> None:
        """``everywhere`` are the functions of all sources."""
        self._tree = tree
        self._everywhere = everywhere
        self._functions: Functions = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                self._functions.setdefault(node.name, []).append(node)
        self._constants = _names_in(tree.body)

    def messages(self) -> Iterator[tuple[int, str]]:
        scopes = [self._tree, *itertools.chain(*self._functions.values())]
        for scope in scopes:
            names = self._names(scope)
            for node in _inside(scope):
                if isinstance(node, ast.Call) and _reports(node) and node.args:
                    texts = map(_tidy, self._texts(node.args[0], names, 0))
                    yield from ((node.lineno, text) for text in texts if text)

    def _names(self, scope: ast.AST) -> Names:
        return {**self._constants, **_names_in(list(_inside(scope)))}

    def _texts(self, node: ast.expr, names: Names, depth: int) -> list[str]:
        """Return the texts that an expression may have."""
        if depth > _DEEP:
            return [HOLE]
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else [HOLE]
        if parts := _joined(node):
            several = [self._texts(part, names, depth + 1) for part in parts]
            return ["".join(each) for each in itertools.islice(itertools.product(*several), _MOST)]
        if isinstance(node, ast.FormattedValue):
            # A word is filled in; a sentence, or a part of one, belongs to the message.
            texts = self._texts(node.value, names, depth + 1)
            return [text if len(text.split()) > 1 else HOLE for text in texts]
        if isinstance(node, ast.Name) and node.id in names:
            others = {name: values for name, values in names.items() if name != node.id}
            return self._any_of(names[node.id], others, depth)
        if isinstance(node, ast.Call):
            return self._called(node, names, depth)
        return self._any_of(_alternatives(node), names, depth) or [HOLE]

    def _any_of(self, nodes: Iterable[ast.expr], names: Names, depth: int) -> list[str]:
        return [text for each in nodes for text in self._texts(each, names, depth + 1)]

    def _called(self, call: ast.Call, names: Names, depth: int) -> list[str]:
        name = _name_of(call)
        if name in ("join", "str", "filter", "fromkeys") and call.args:
            return self._texts(call.args[-1], names, depth + 1)
        if name in ("format", "replace") and isinstance(call.func, ast.Attribute):
            texts = self._texts(call.func.value, names, depth + 1)
            return [re.sub(r"\{\w*\}", HOLE, text) for text in texts]
        found = []
        for function in self._functions.get(name) or self._everywhere.get(name, []):
            results = [
                node.value
                for node in _inside(function)
                if isinstance(node, ast.Return | ast.Yield) and node.value is not None
            ]
            found += self._any_of(results, self._names(function), depth)
        return found or [HOLE]


def _reports(call: ast.Call) -> bool:
    name = _name_of(call)
    is_error = name == "cls" or (name.endswith("Error") and name not in _OF_PROGRAMMERS)
    return name in _WARNINGS or is_error


def _name_of(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _joined(node: ast.expr) -> list[ast.expr]:
    """Return the parts of a text that is put together, nothing of another expression."""
    if isinstance(node, ast.JoinedStr):
        return node.values
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [node.left, node.right]
    return []


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """Return the expressions whose texts this one may have."""
    match node:
        case ast.IfExp():
            return [node.body, node.orelse]
        case ast.BoolOp() | ast.Dict():
            return list(node.values)
        case ast.List():
            return node.elts
        case ast.Tuple():  # what happened, then the ways out
            return node.elts[:1]
        case ast.GeneratorExp() | ast.ListComp():
            return [node.elt]
        case ast.Subscript() | ast.Starred():
            return [node.value]
    return []


def _names_in(nodes: Iterable[ast.AST]) -> Names:
    """Return what is assigned to names, by name."""
    found: Names = {}
    for node in nodes:
        for name, value in _assigned(node):
            found.setdefault(name, []).append(value)
    return found


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]):
            yield name, node.value
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            for target, value in zip(targets, values, strict=False):
                if isinstance(target, ast.Name):
                    yield target.id, value
        case ast.For(target=ast.Name(id=name)):
            yield name, node.iter
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.NamedExpr(target=ast.Name(id=name)):
            yield name, node.value


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield what belongs to a scope, without the functions in it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _inside(child)
