"""infra → {consumers | projections} → domain; third-party names only in infra, each in its own corner of it."""

import sys
import tomllib
from pathlib import Path

import pytest

from tests.style.checkout import LAYERS, ROOT, imports, modules

MAY_IMPORT = {
    "domain": {"domain"},
    "projections": {"domain", "projections"},
    "consumers": {"domain", "consumers"},
    "infra": {"domain", "projections", "consumers", "infra"},
}

IMPURE = {
    "asyncio", "getpass", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "shutil",
    "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid",
}  # fmt: skip
"""Parts of the standard library by which a rule could learn something that is not among its arguments."""

CORNERS = {
    "cryptography": ("infra/sealing.py", "infra/evidence"),
    "eventsourcing": ("infra/embedded", "infra/kafka", "infra/live", "infra/bench.py"),
    "jiter": ("infra/incoming.py",),
    "kafka": ("infra/kafka", "infra/live"),
    "psycopg": ("infra/postgres", "infra/live", "infra/servers.py"),
    "click": ("infra/cli", "infra/bench.py"),
    "rich": ("infra/cli",),
    "msgspec": ("infra/snapshots.py", "infra/views/wire.py", "infra/live"),
    "pydantic": ("infra/live/settings.py",),
    "pydantic_settings": ("infra/live/settings.py",),
    "structlog": ("infra/live",),
    "prometheus_client": ("infra/live",),
}
"""Library → where alone it may be known."""

EVERYWHERE = {"orjson"}
"""Libraries that every module of infra may use: JSON is the form of everything that is stored or said."""

DISTRIBUTIONS = {
    "kafka": "kafka-python",
    "prometheus_client": "prometheus-client",
    "pydantic_settings": "pydantic-settings",
}
"""Names under which libraries are installed, where those differ from the names they are imported by."""


@pytest.mark.parametrize("path", modules(*LAYERS), ids=str)
def test_imports_point_downwards(path: Path) -> None:
    """A layer knows itself, the layers below it and the standard library; only infra knows anything else."""
    layer = path.parts[0]
    for line, name in imports(path):
        top = name.partition(".")[0]
        if top in LAYERS:
            assert top in MAY_IMPORT[layer], f"{path}:{line} imports {name}"
        elif layer != "infra":
            assert top in sys.stdlib_module_names, f"{path}:{line} imports {name}, which is not in the standard library"
        assert top != "tests", f"{path}:{line} imports {name}"


@pytest.mark.parametrize("path", modules("domain", "projections"), ids=str)
def test_rules_and_projections_have_no_clock_no_randomness_and_no_files(path: Path) -> None:
    """Pure: the same arguments give the same facts in ten years."""
    for line, name in imports(path):
        assert name.partition(".")[0] not in IMPURE, f"{path}:{line} imports {name}"


@pytest.mark.parametrize("path", modules("infra"), ids=str)
def test_a_library_is_known_in_one_corner_of_infra(path: Path) -> None:
    """Changing a library means changing the files that CORNERS names, and no others."""
    for line, name in imports(path):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in LAYERS or top in EVERYWHERE:
            continue
        assert top in CORNERS, f"{path}:{line} imports {name}, a library that CORNERS does not place"
        assert str(path).startswith(CORNERS[top]), f"{path}:{line} imports {name}, which belongs in {CORNERS[top]}"


def test_what_infra_imports_is_declared() -> None:
    """Nothing is used that is only there because something else needs it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {requirement.split(">=")[0].split("[")[0] for requirement in project["dependencies"]}
    used = {name.partition(".")[0] for path in modules("infra") for _, name in imports(path)}
    libraries = {name for name in used if name not in sys.stdlib_module_names and name not in LAYERS}
    assert {DISTRIBUTIONS.get(name, name) for name in libraries} <= declared
