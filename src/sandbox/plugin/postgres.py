"""A PostgreSQL server behind one RDS instance."""

import secrets
import shutil
import signal
from functools import partial

import pg8000.native

from . import binaries, processes
from .processes import ServerError
from .templates import copy, template

# The superuser that RDS keeps for itself; the master user is another role.
ADMIN = "rdsadmin"
# What is thrown away with the sandbox need not survive a power cut.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "jit": "off",
    "logging_collector": "off",
}


class Postgres:
    """Knows how to make, run and speak to a PostgreSQL server."""

    death_signal = signal.SIGQUIT
    stop_signal = signal.SIGQUIT

    def __init__(self, cache, note):
        self.binaries = binaries.find_postgres(cache, note)
        name = f"postgres-{binaries.version_of(self.binaries)}"
        self.template = template(name, partial(_make_template, self.binaries), note)

    def prepare(self, directory):
        """Fill an instance's directory."""
        copy(self.template, directory)

    def command(self, directory, port):
        """The command that runs the server."""
        settings = {**SETTINGS, "port": str(port)}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [self.binaries.path("postgres"), "-D", directory / "data", *options]

    def set_up(self, _directory, port, user, password, database):
        """Make the master user and the first database."""
        with _Session(self.template, port) as session:
            session.run("CREATE ROLE rds_superuser CREATEDB CREATEROLE")
            session.run("CREATE ROLE rds_iam")
            role = pg8000.native.identifier(user)
            secret = pg8000.native.literal(password)
            session.run(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD {secret}")
            session.run(f"GRANT rds_superuser TO {role}")
            # RDS always has a database "postgres", which belongs to the master user.
            session.run(f"ALTER DATABASE postgres OWNER TO {role}")
            if database and database != "postgres":
                name = pg8000.native.identifier(database)
                session.run(f"CREATE DATABASE {name} OWNER {role}")

    def is_ready(self, port):
        """Whether the server answers."""
        try:
            with _Session(self.template, port):
                return True
        except (pg8000.exceptions.InterfaceError, pg8000.exceptions.DatabaseError, OSError):
            return False

    def set_password(self, port, user, password):
        """Give the master user a new password."""
        role = pg8000.native.identifier(user)
        secret = pg8000.native.literal(password)
        with _Session(self.template, port) as session:
            session.run(f"ALTER ROLE {role} PASSWORD {secret}")

    def rows(self, port):
        """How many rows each table holds."""
        with _Session(self.template, port) as session:
            names = session.run("SELECT datname FROM pg_database WHERE NOT datistemplate")
        counts = {}
        for (database,) in names:
            with _Session(self.template, port, database) as session:
                tables = session.run(
                    "SELECT schemaname || '.' || relname,"
                    " quote_ident(schemaname) || '.' || quote_ident(relname)"
                    " FROM pg_stat_user_tables"
                )
                for name, quoted in tables:
                    ((count,),) = session.run(f"SELECT count(*) FROM {quoted}")
                    counts[f"{database}.{name}"] = count
        return dict(sorted(counts.items()))


class _Session(pg8000.native.Connection):
    """A connection as the superuser."""

    def __init__(self, template, port, database="postgres"):
        super().__init__(
            ADMIN,
            host="127.0.0.1",
            port=port,
            database=database,
            password=(template / "password").read_text(),
            timeout=10,
        )


def _make_template(found, staging):
    work = staging / "work"
    work.mkdir()
    processes.give_away(work)
    password = secrets.token_urlsafe(24)
    _write_secret(work / "password", password)
    processes.give_away(work / "password")
    _initdb(found, work)
    (work / "data").rename(staging / "data")
    shutil.rmtree(work)
    _write_secret(staging / "password", password)


def _write_secret(path, text):
    path.touch(mode=0o600)
    path.write_text(text)


def _initdb(found, work):
    # C.UTF-8 knows letters beyond ASCII, but not every system has it.
    for locale in ("C.UTF-8", "C"):
        command = [
            found.path("initdb"),
            *("-D", work / "data", "-U", ADMIN, "-E", "UTF8", f"--locale={locale}"),
            *("--auth=scram-sha-256", f"--pwfile={work / 'password'}", "--no-sync"),
        ]
        try:
            processes.run(command, cwd=work, env=found.environment)
            return
        except ServerError as error:
            failure = error
            shutil.rmtree(work / "data", ignore_errors=True)
    raise failure
