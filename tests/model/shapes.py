"""The shape of a command (CONTRACT §2): the first fault in the order of its table, unknown fields last."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from .catalogue import METHODS, Malformed, check_regulations, check_tariff, is_instant, need, no_others, want
from .values import MINOR_DIGITS, decimal

Kind = Callable[[Any], bool]

E164 = re.compile(r"\+[1-9][0-9]{1,14}")
SUBSCRIBER = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _flag(value: object) -> bool:
    return type(value) is bool


def _whole(low: int) -> Kind:
    return lambda value: type(value) is int and value >= low


def _amount(value: object) -> bool:
    return decimal(value, 6) is not None


def _rate(value: object) -> bool:
    rate = decimal(value, 12)
    return rate is not None and rate > 0


def _currency(value: object) -> bool:
    return isinstance(value, str) and value in MINOR_DIGITS


def _one_of(*words: str) -> Kind:
    return lambda value: isinstance(value, str) and value in words


def _date(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return False
    try:
        dt.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _country(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Z]{2}", value) is not None


def _object(value: object) -> bool:
    return isinstance(value, dict)


_CAUSE = _one_of("notice", "violation", "unlawful_use", "non_payment")
_METHOD = _one_of(*METHODS)
_SANCTION = _one_of("warning", "suspension", "termination")

FIELDS: dict[str, list[tuple[str, Kind]]] = {
    "RegisterSubscriber": [
        ("regulations", _text), ("currency", _currency), ("plan", _text), ("holder", _text), ("autorenew?", _flag),
        ("first_account?", _flag), ("personal?", _object),
    ],
    "PassVerification": [],
    "RefuseRegistration": [("ground", _text)],
    "CreditDeposit": [
        ("amount", _amount), ("currency", _currency), ("method", _METHOD), ("reference", _text), ("payer?", _text),
        ("received_at?", is_instant),
    ],
    "ReverseDeposit": [("reference", _text), ("ground", _text)],
    "OrderNumber": [
        ("number", _text), ("service", _text), ("channels?", _whole(0)), ("autorenew?", _flag),
        ("periods?", _whole(1)), ("prepaid?", _flag),
    ],
    "AddChannels": [("number", _text), ("count", _whole(1))],
    "ReleaseNumber": [("number", _text)],
    "SetAutorenew": [("number", _text), ("autorenew", _flag)],
    "ReplaceNumber": [("number", _text), ("new_number", _text)],
    "AnnounceNumberReplacement": [("number", _text), ("new_number", _text), ("on", _date)],
    "RequestPlanChange": [("plan", _text)],
    "WithdrawPlanChange": [],
    "OrderAdministrativeService": [("service", _text), ("quantity?", _whole(1)), ("ground?", _text)],
    "ReportUsage": [
        ("number", _text), ("usage", _text), ("service", _text), ("elapsed_seconds?", _whole(0)), ("ended?", _flag),
        ("units?", _whole(1)),
    ],
    "RecordViolation": [("kind", _text), ("ground", _text), ("unlawful?", _flag), ("sanction?", _SANCTION)],
    "SuspendServices": [("ground", _text)],
    "ResumeServices": [],
    "RequestTermination": [("ticket?", _text), ("reason?", _text)],
    "TerminateAgreement": [("ground", _text), ("cause", _CAUSE), ("charge_remaining_term?", _flag)],
    "RequestRefund": [("reason?", _text), ("method?", _METHOD), ("country?", _country)],
    "DecideRefund": [("refund", _text), ("approved", _flag), ("reviewer", _text), ("reason", _text)],
    "ConfirmRefundPaid": [
        ("refund", _text), ("method", _METHOD), ("reference", _text), ("currency?", _currency), ("rate?", _rate),
    ],
    "OpenDispute": [("charge", _text), ("reason", _text)],
    "ResolveDispute": [
        ("dispute", _text), ("upheld", _flag), ("amount?", _amount), ("reviewer", _text), ("reason", _text),
    ],
    "GrantCompensation": [
        ("amount", _amount), ("fault_at", is_instant), ("complaint_at", is_instant), ("evidence", _text),
    ],
    "PostAdjustment": [("amount", _amount), ("reason", _text), ("reviewer", _text)],
    "TransferAgreement": [("holder", _text), ("consent?", _flag), ("personal?", _object)],
    "ErasePersonalData": [("reason", _text)],
    "AdvanceClock": [],
    "PublishRegulations": [],
    "PublishTariff": [],
}  # fmt: skip
"""Each command's data in the order of CONTRACT §2's table; `?` marks what may be left out."""

PUBLISHING = ("PublishRegulations", "PublishTariff")


def check(command: Any) -> None:
    """Raise `Malformed` with the path of the first fault."""
    if not isinstance(command, dict):
        raise Malformed("")
    for key, kind in (
        ("id", lambda value: isinstance(value, str) and 1 <= len(value) <= 64),
        ("type", lambda value: isinstance(value, str) and value in FIELDS),
        ("subscriber", lambda value: isinstance(value, str) and SUBSCRIBER.fullmatch(value) is not None),
        ("at", is_instant),
        ("actor", _text),
        ("data", _object),
    ):
        if key not in command or not kind(command[key]):
            raise Malformed(key)
        if key == "subscriber" and (command["type"] in PUBLISHING) != (command["subscriber"] == "catalogue"):
            raise Malformed("subscriber")
    _check_data(command["type"], command["data"])
    no_others(command, "id", "type", "subscriber", "at", "actor", "data", path="")


def _check_data(kind: str, data: dict[str, Any]) -> None:
    if kind == "PublishRegulations":
        check_regulations(data)
    elif kind == "PublishTariff":
        check_tariff(data)
    else:
        for name, of_kind in FIELDS[kind]:
            if name.endswith("?"):
                want(data, name[:-1], of_kind)
            else:
                need(data, name, of_kind)
            if kind == "OrderNumber":
                _check_order(name, data)
            elif kind == "ReportUsage":
                _check_usage(name, data)
        no_others(data, *(name.rstrip("?") for name, _ in FIELDS[kind]))


def _check_order(name: str, data: dict[str, Any]) -> None:
    """Services named `did.*` are rented by E.164 number; `prepaid` needs `periods`."""
    service = data.get("service")
    did = isinstance(service, str) and service.startswith("did.")
    if name == "number" and did and not E164.fullmatch(data["number"]):
        raise Malformed("data.number")
    if name == "periods?" and data.get("prepaid") is True and "periods" not in data:
        raise Malformed("data.periods")


def _check_usage(name: str, data: dict[str, Any]) -> None:
    """Either `elapsed_seconds` and `ended`, or `units`."""
    metered = "elapsed_seconds" in data or "ended" in data
    if name == "elapsed_seconds?" and "elapsed_seconds" not in data and (metered or "units" not in data):
        raise Malformed("data.elapsed_seconds")
    if name == "ended?" and metered and "ended" not in data:
        raise Malformed("data.ended")
    if name == "units?" and metered and "units" in data:
        raise Malformed("data.units")
