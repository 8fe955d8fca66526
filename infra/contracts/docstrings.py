"""What the docstrings of a module say, those that stand below a field or a name included.

Python keeps a class's docstring and forgets those of its fields, so they are read from the source.
"""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from types import ModuleType

Docstrings = dict[str, str]
"""`DepositCredited`, `DepositCredited.amount` or `Key` → its docstring, as one line."""


@cache
def of_module(module: ModuleType) -> Docstrings:
    """All docstrings of a module's classes, of their fields, and of its own names."""
    return dict(_of_body(ast.parse(inspect.getsource(module)).body, ""))


def _of_body(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, str]]:
    for statement, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.ClassDef):
            if text := ast.get_docstring(statement):
                yield statement.name, _one_line(text)
            yield from _of_body(statement.body, f"{statement.name}.")
        elif (name := _assigned(statement)) and (text := _text_of(below)):
            yield prefix + name, _one_line(text)


def _assigned(statement: ast.stmt) -> str | None:
    """The name that a statement gives a value or a type to."""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case _:
            return None


def _text_of(statement: ast.stmt | None) -> str | None:
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
        case _:
            return None


def _one_line(text: str) -> str:
    return " ".join(text.split())
