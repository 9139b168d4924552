import multiprocessing
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from pipeline.errors import ConfigError, StateError
from pipeline.ledger import database, health, tables
from pipeline.ledger.database import Database
from pipeline.ledger.nights import Books
from pipeline.nightly import telling
from pipeline.notify.groups import NOBODY
from tests import postgres
from tests.ledger.planted import day, run_nights
from tests.ledger.test_nights import BOTH


@BOTH
def test_migrations_make_what_the_tables_say(ledger: Database) -> None:
    with ledger.reading() as connection:
        told = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(told, tables.Base.metadata) == []


@BOTH
def test_opened_again_keeps_everything(url: str) -> None:
    with database.opened(url) as ledger:
        run_nights(Books(ledger, "a"), range(2))
    with database.opened(url) as ledger:
        assert Books(ledger, "a").last() == day(1)


@BOTH
def test_ledger_of_an_earlier_form_keeps_its_nights_which_tell_of_no_catalogue_problem(url: str) -> None:
    with database.opened(url) as ledger:
        run_nights(Books(ledger, "a"), range(1))
        with ledger.writing() as connection:
            connection.execute(text("ALTER TABLE nights DROP COLUMN catalog_problems"))
            connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    with database.opened(url) as ledger:
        found = health.last_night(Books(ledger, "a"))
        assert found is not None
        assert (found.as_of, found.catalog_problems) == (day(0), ())
        run_nights(Books(ledger, "a"), range(1, 2))


@BOTH
def test_ledger_is_not_of_the_form_of_versions_that_misread_arrays_which_tell_of_clouds(url: str) -> None:
    with database.opened(url) as ledger, ledger.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    with database.opened(url) as ledger, ledger.reading() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0004"


@BOTH
def test_ledger_of_a_later_version_is_refused_in_one_line_and_left_alone(url: str) -> None:
    with database.opened(url) as ledger, ledger.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with (
        pytest.raises(ConfigError, match=r"later version of Vanwatch \(its form is 9999\)") as told,
        database.opened(url),
    ):
        pass
    assert "\n" not in str(told.value)


def test_sqlite_is_durable_and_checks_its_references(ledger: Database) -> None:
    with ledger.reading() as connection:
        for name, expected in (("foreign_keys", 1), ("journal_mode", "delete"), ("synchronous", 2)):
            assert connection.scalar(text(f"PRAGMA {name}")) == expected
        assert connection.scalar(text("PRAGMA busy_timeout")) == 1000 * database.BUSY_S


def test_opened_file_that_is_no_ledger_names_it_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "vanwatch.db").write_bytes(b"no database at all, but long enough to be looked into" * 20)
    with (
        pytest.raises(StateError, match=r"vanwatch\.db: .*restore it"),
        database.opened(database.default_url(tmp_path)),
    ):
        pass


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://here/x", "only sqlite and postgresql"),
        ("nonsense", "not a URL like"),
        *((url, "names no file; write it as sqlite:///PATH") for url in ("sqlite://", "sqlite://a/x.db", "sqlite:///")),
        ("sqlite+pysqlite:///a/x.db", "names no file; write it as sqlite:///PATH"),
        ("sqlite:////nowhere/at/all/x.db", "unable to open"),
        ("postgresql://me:secret@127.0.0.1:1/x", "127.0.0.1:1/x: .*deployment.toml"),
    ],
)
def test_opened_wrong_url_is_one_line_without_the_password(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as told, database.opened(url):
        pass
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)


def test_file_of_tells_a_file_from_a_server(tmp_path: Path) -> None:
    assert database.file_of(database.default_url(tmp_path)) == tmp_path / "vanwatch.db"
    assert database.file_of("postgresql://host/name") is None


def test_opened_in_a_folder_whose_name_looks_like_an_escape_is_there_and_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "100%25 été?a=b#c"
    folder.mkdir()
    with database.opened(database.default_url(folder)):
        pass
    assert [path.name for path in folder.iterdir()] == ["vanwatch.db"]
    assert list(tmp_path.iterdir()) == [folder]
    assert database.file_of(database.default_url(folder)) == folder / "vanwatch.db"


def _open(url: str, start: "multiprocessing.synchronize.Barrier") -> None:
    start.wait(60)
    with database.opened(url):
        pass


@pytest.mark.slow
@BOTH
def test_two_processes_that_open_a_new_ledger_at_once_both_succeed(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    both = [context.Process(target=_open, args=(url, start)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]


def test_locked_name_is_refused_to_another_connection_until_the_first_is_gone(server: postgres.Server) -> None:
    url = server.empty_database()
    with database.opened(url) as one, database.opened(url) as other:
        with one.locked(["north", "south"]), other.locked(["east"]):
            with (
                pytest.raises(ConfigError, match=r"another run is at work on south; wait for it"),
                other.locked(["west", "south"]),
            ):
                pass
            with other.locked(["west"]):  # what was refused holds nothing
                pass
        with other.locked(["south"]):
            pass


def test_locked_name_is_free_as_soon_as_it_is_given_back(server: postgres.Server) -> None:
    url = server.empty_database()
    with database.opened(url) as one, database.opened(url) as other:
        for _ in range(50):  # a connection that is merely closed leaves its lock for a moment
            for ledger in (one, other):
                with ledger.locked(["south"]):
                    pass


def test_locked_name_is_waited_for_where_that_is_asked_as_telling_does(server: postgres.Server) -> None:
    url = server.empty_database()
    with database.opened(url) as one, database.opened(url) as other, ThreadPoolExecutor(1) as pool:
        with one.locked(["telling"], wait=True):
            told = pool.submit(telling.tell, other, NOBODY, None)
            assert wait([told], timeout=0.5).not_done == {told}
        assert told.result(timeout=60) == ()
