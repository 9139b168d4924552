"""A ledger in each of its databases: SQLite in a file, and a real PostgreSQL server on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.ledger import database
from pipeline.ledger.database import Database
from tests import postgres


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    postgres.need()
    with postgres.running(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of the kind that the test is run for; SQLite if it names none."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return database.default_url(tmp_path)
    server: postgres.Server = request.getfixturevalue("server")
    return server.empty_database()


@pytest.fixture
def ledger(url: str) -> Iterator[Database]:
    with database.opened(url) as found:
        yield found
