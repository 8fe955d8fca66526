"""Making and copying frozen records at a fifth of what `dataclasses` takes: a ledger makes a dozen for each fact.

A frozen record may not be assigned to, so the constructor that `dataclasses` writes goes through `object.__setattr__`
for each field, and a call of a class with keywords costs as much again. Here each class has a draft beside it: a class
of the same slots that may be assigned to. A record is filled as a draft and then told its class, once, which freezes
it. Makers and copiers are compiled once for a class, as `dataclasses` compiles `__init__`. Records with a
`__post_init__` are not for it.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any, ParamSpec, TypeVar

Record = TypeVar("Record")
Arguments = ParamSpec("Arguments")


def maker(cls: Callable[Arguments, Record]) -> Callable[Arguments, Record]:
    """A function that makes what the call of a frozen, slotted dataclass would make, of the same arguments."""
    assert isinstance(cls, type)
    parameters = [_parameter(field) for field in fields(cls) if not field.kw_only]
    by_name = [_parameter(field) for field in fields(cls) if field.kw_only]
    if by_name:
        parameters += ["*", *by_name]
    scope: dict[str, Any] = {"Draft": _draft(cls), "Record": cls}
    scope |= {f"default_{field.name}": field.default for field in fields(cls)}
    scope |= {f"make_{field.name}": field.default_factory for field in fields(cls)}
    body = ["new = Draft()", *(_assignment(field) for field in fields(cls)), "new.__class__ = Record", "return new"]
    return _compiled(f"make_{cls.__name__}", ", ".join(parameters), body, scope)


def replace(record: Record, **changes: Any) -> Record:
    """A copy of `record` with `changes`; TypeError for a field that it does not have."""
    cls: type = type(record)
    draft = _copier(cls)(record)
    try:
        for name, value in changes.items():
            setattr(draft, name, value)
    except AttributeError:
        raise TypeError(f"{cls.__name__} has no field {name}") from None
    draft.__class__ = cls
    copied: Record = draft
    return copied


def changer(cls: type[Record], *names: str) -> Callable[..., Record]:
    """`replace` for always the same fields, which follow the record in the order of `names`; it costs half."""
    of: type = cls
    every = [field.name for field in fields(of)]
    unknown = [name for name in names if name not in every]
    if unknown:
        raise TypeError(f"{of.__name__} has no field {unknown[0]}")
    copied = (f"new.{name} = {name if name in names else f'old.{name}'}" for name in every)
    body = ["new = Draft()", *copied, "new.__class__ = Record", "return new"]
    return _compiled("change", ", ".join(("old", *names)), body, {"Draft": _draft(of), "Record": of})


@cache
def _draft(cls: type) -> type:
    """A class of the same slots as `cls`, not frozen."""
    return type(cls.__name__, (), {"__slots__": tuple(field.name for field in fields(cls))})


@cache
def _copier(cls: type) -> Callable[[Any], Any]:
    """A function that answers with a draft of a record's fields."""
    body = ["new = Draft()", *(f"new.{field.name} = old.{field.name}" for field in fields(cls)), "return new"]
    return _compiled("copy", "old", body, {"Draft": _draft(cls)})


def _parameter(field: Field[Any]) -> str:
    required = field.default is MISSING and field.default_factory is MISSING
    return field.name if required else f"{field.name}=default_{field.name}"


def _assignment(field: Field[Any]) -> str:
    if field.default_factory is MISSING:
        return f"new.{field.name} = {field.name}"
    missing = f"default_{field.name}"
    return f"new.{field.name} = make_{field.name}() if {field.name} is {missing} else {field.name}"


def _compiled(name: str, parameters: str, body: list[str], scope: dict[str, Any]) -> Callable[..., Any]:
    source = f"def {name}({parameters}):\n" + "".join(f" {line}\n" for line in body)
    exec(source, scope)  # noqa: S102 - the source is made of field names alone
    function: Callable[..., Any] = scope[name]
    return function
