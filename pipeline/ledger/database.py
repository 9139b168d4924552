"""Opening the ledger: SQLite or PostgreSQL by URL, brought up to date by its migrations.

In: a URL. Out: a `Database` whose transactions are all or nothing. Knows no table.

SQLite keeps a rollback journal (DELETE), not a write-ahead log: a night writes once, so that there is nothing to gain
from the latter, which fails on the network folders that a cluster shares and leaves a second file that backups forget.
`synchronous` is FULL: what was committed is on the disk.
"""

import contextlib
import itertools
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import alembic.util
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from pipeline.errors import ConfigError, StateError

MIGRATIONS = Path(__file__).parent / "migrations"
_LITE = "sqlite:///"
BUSY_S = 30
"""So long a writer waits for another."""
_WHERE = "check `database` in configs/deployment.toml, and VANWATCH_DATABASE"
_LOCK = 5624  # any number: PostgreSQL's advisory lock of a migration


@dataclass(frozen=True, slots=True)
class Database:
    """An open ledger."""

    engine: Engine
    shown: str
    """Its URL without the password, for messages."""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that changes nothing.

        Raises:
            StateError: the database does not answer.
        """
        with self._told(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed where its block ends without an error.

        Raises:
            StateError: the database does not answer or cannot be written to; nothing was changed.
        """
        with (
            self._told(),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def locked(self, names: Sequence[str], *, wait: bool = False) -> Iterator[None]:
        """One run at a time on each name, whatever machine it is on; locks go with the connection, however it ends.

        SQLite has no such locks: there the state's folder is locked.

        Args:
            names: of what only one run may do.
            wait: for a run that is at it, in place of an error.

        Raises:
            ConfigError: another run holds one.
            StateError: the database does not answer.
        """
        if self.engine.dialect.name != "postgresql":
            yield
            return
        with self.engine.connect() as connection:
            with self._told():
                taken = text(f"SELECT {'pg_advisory_lock' if wait else 'pg_try_advisory_lock'}(:kind, :key)")
                keys = [{"kind": _LOCK, "key": zlib.crc32(name.encode()) - 2**31} for name in names]
                free = [connection.scalar(taken, key) is not False for key in keys]  # waiting gives an empty text
                connection.commit()
            try:
                if not all(free):
                    busy = names[free.index(False)]
                    raise ConfigError(f"{self.shown}: another run is at work on {busy}; wait for it")
                yield
            finally:
                # the server notices a connection that is gone only after a while
                given_back = text("SELECT pg_advisory_unlock(:kind, :key)")
                with contextlib.suppress(SQLAlchemyError):
                    for key in itertools.compress(keys, free):
                        connection.scalar(given_back, key)
                    connection.commit()
                connection.invalidate()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as err:
            raise StateError(f"{self.shown}: {_first_line(err)}; check that the database answers and has room") from err


def default_url(state: Path) -> str:
    """The SQLite file in a folder of state."""
    return f"{_LITE}{state / 'vanwatch.db'}"


def file_of(url: str) -> Path | None:
    """The file of an SQLite ledger; None for a server.

    Raises:
        ConfigError: the URL is wrong.
    """
    made = _parsed(url)
    return Path(made.database or "") if made.get_backend_name() == "sqlite" else None


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Open a ledger; make it or bring it up to date where needed.

    Args:
        url: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`.

    Raises:
        ConfigError: the URL is wrong, nothing answers there, or the ledger was written by a later version.
        StateError: what is there is no ledger.
    """
    engine = _engine(url)
    database = Database(engine, engine.url.render_as_string(hide_password=True))
    try:
        try:
            _bring_up_to_date(database)
        except DBAPIError as err:
            if isinstance(err.orig, sqlite3.DatabaseError) and not isinstance(err.orig, sqlite3.OperationalError):
                remedy = "restore it from a backup, or replay the AOIs"
                raise StateError(f"{database.shown}: {_first_line(err)}; {remedy}") from err
            raise _unanswered(engine, err) from err
        yield database
    finally:
        engine.dispose()


def begun(url: str) -> bool:
    """Whether something may stand in a ledger: not in a file that is missing or empty; a server is not asked.

    Raises:
        ConfigError: the URL is wrong.
    """
    file = file_of(url)
    return file is None or (file.exists() and file.stat().st_size > 0)


def check(url: str) -> None:
    """Refuse a URL that nothing answers at, before anything is made.

    Raises:
        ConfigError: the URL is wrong, or nothing answers there.
    """
    engine = _engine(url)
    try:
        engine.connect().close()
    except DBAPIError as err:
        raise _unanswered(engine, err) from err
    finally:
        engine.dispose()


def _unanswered(engine: Engine, err: DBAPIError) -> ConfigError:
    shown = engine.url.render_as_string(hide_password=True)
    return ConfigError(
        f"{shown}: {_first_line(err)}; check `database` in configs/deployment.toml, VANWATCH_DATABASE, and that it "
        "may be written to"
    )


def _parsed(url: str) -> sqlalchemy.URL:
    if url.startswith(_LITE) and url != _LITE:  # a path as it stands: names of folders may hold % and ?
        return sqlalchemy.URL.create("sqlite", database=url.removeprefix(_LITE))
    kinds = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
    made: sqlalchemy.URL | None = None
    with contextlib.suppress(ArgumentError, ValueError):  # what they say may hold a password
        made = sqlalchemy.make_url(url)
    if made is None or "@" in (made.host or ""):
        raise ConfigError(
            "database: not a URL like sqlite:///state/vanwatch.db or postgresql://user:password@host:5432/name, where "
            f"'@' in a password is written %40; {_WHERE}"
        )
    kind = made.drivername.split("+")[0]
    if kind == "sqlite":  # in memory, of a host, or of a folder that depends on where the command is called
        shown = made.render_as_string(hide_password=True)
        raise ConfigError(f"database: {shown}: names no file; write it as {_LITE}PATH, with three slashes; {_WHERE}")
    driver = kinds.get(kind)
    if driver is None:
        raise ConfigError(f"database: {made.drivername}: only sqlite and postgresql are known; {_WHERE}")
    return made.set(drivername=driver)


def _engine(url: str) -> Engine:
    made = _parsed(url)
    lite = made.get_backend_name() == "sqlite"
    wait = {"timeout": BUSY_S} if lite else {"connect_timeout": BUSY_S}
    try:
        engine = sqlalchemy.create_engine(made, connect_args=wait)
    except (NoSuchModuleError, ImportError) as err:
        raise ConfigError(f"database: {made.drivername}: {err}; install its driver") from err
    if lite:
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # else Python's own driver begins transactions when it sees fit
    for line in ("foreign_keys = ON", "journal_mode = DELETE", "synchronous = FULL"):
        connection.execute(f"PRAGMA {line}")


def _on_begin(connection: Connection) -> None:
    """A writer takes its lock at once: waiting for it later, having read, could only fail."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    with database.engine.connect() as connection:
        known = MigrationContext.configure(connection).get_current_revision()
    if known == script.get_current_head():
        return
    if known is not None:
        try:
            script.get_revision(known)
        except alembic.util.CommandError as err:
            raise ConfigError(
                f"{database.shown}: was written by a later version of Vanwatch (its form is {known}); "
                "run that version, or use another database"
            ) from err
    with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _first_line(err: DBAPIError) -> str:
    return str(err.orig).strip().splitlines()[0] if str(err.orig).strip() else type(err.orig).__name__
