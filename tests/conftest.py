"""What all tests share: how hard hypothesis looks, and which tests keep to one worker because they share servers."""

import pytest
from hypothesis import settings

pytest_plugins = ["tests.support.servers"]

EXAMPLES = 100
"""Examples per property in an ordinary run: the same ones every time, so that a failure is the change's own."""

SERVERS = {
    "kafka_address": "kafka",
    "kafka_node": "kafka",
    "kafka_cluster": "kafka",
    "postgres_dsn": "postgres",
    "postgres_server": "postgres",
}
"""Fixture → the group of tests that one worker runs, so that each server is started once and brokers do not compete."""

FURTHER_GROUPS = {"integration": "live", "faults": "hurt", "scenarios": "hurt"}
"""Folder → a group of its own, so that two workers have about as much to do with servers."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--examples N`: properties look at N examples that are drawn anew (`make soak`)."""
    parser.addoption("--examples", type=int, help="examples per property, drawn anew instead of always the same")


def pytest_configure(config: pytest.Config) -> None:
    """A deadline would test the machine, not the ledger: there is none."""
    wanted: int | None = config.getoption("--examples")
    settings.register_profile("test", max_examples=EXAMPLES, derandomize=True, deadline=None)
    settings.register_profile("soak", max_examples=wanted or EXAMPLES, deadline=None, print_blob=True)
    settings.load_profile("soak" if wanted else "test")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that use a server go to one worker; the first of its groups decides."""
    for item in items:
        groups = [SERVERS[name] for name in getattr(item, "fixturenames", ()) if name in SERVERS]
        if groups:
            folder = item.path.parent.name
            item.add_marker(pytest.mark.xdist_group(FURTHER_GROUPS.get(folder, groups[0])))
