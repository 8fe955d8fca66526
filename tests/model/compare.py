"""How an outcome of the real ledger differs from the model's."""

from __future__ import annotations

from typing import Any

from .values import instant

SAME = ("command", "status", "code", "path", "balance", "outstanding", "currency", "continue", "charged")


def short(event: dict[str, Any]) -> tuple[str, object]:
    """A fact's name without prefix and version, and when it counts."""
    name = event.get("name") or event["type"].removeprefix("subledger.").rsplit(".v", 1)[0]
    return name, instant(event["effective_at"])


def differences(model: dict[str, Any], real: dict[str, Any], *, paths: bool = True) -> list[str]:
    """Field by field; instants as instants; events by name and `effective_at` (and id where both have one)."""
    if model["status"] == real.get("status") == "invalid":
        found = model["path"] != real.get("path")
        return [f"path: model {model['path']!r}, real {real.get('path')!r}"] if paths and found else []
    faults = [
        f"{key}: model {model.get(key)!r}, real {real.get(key)!r}" for key in SAME if model.get(key) != real.get(key)
    ]
    if instant(model.get("earliest")) != instant(real.get("earliest")):
        faults.append(f"earliest: model {model.get('earliest')}, real {real.get('earliest')}")
    expected, told = model.get("events", []), real.get("events", [])
    if [short(event) for event in expected] != [short(event) for event in told]:
        names = [
            [f"{name}@{event['effective_at']}" for event in rows for name, _ in [short(event)]]
            for rows in (expected, told)
        ]
        faults.append(f"events: model {names[0]}, real {names[1]}")
    elif [event["id"] for event in expected] != [event.get("id", event["id"]) for event in told]:
        faults.append("events: same facts under other ids")
    return faults
