"""A MariaDB (or MySQL) server behind one RDS instance."""

import secrets
import signal
from functools import partial

import pymysql

from . import binaries, processes
from .templates import copy, template

ADMIN = "rdsadmin"
SETTINGS = [
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--local-infile=1",
    "--character-set-server=utf8mb4",
    "--performance-schema=OFF",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=64M",
    # Relative to the data directory, since the path of a socket must be short.
    "--socket=sock",
]


class MariaDb:
    """Knows how to make, run and speak to a MariaDB server."""

    death_signal = signal.SIGKILL
    stop_signal = signal.SIGTERM

    def __init__(self, cache, note):
        self.binaries = binaries.find_mariadb(cache, note)
        name = f"{self.binaries.server}-{binaries.version_of(self.binaries)}"
        self.template = template(name, partial(_make_template, self.binaries), note)
        self.password = secrets.token_urlsafe(24)

    def prepare(self, directory):
        """Fill an instance's directory."""
        copy(self.template, directory)
        # Our own account can only be made from inside: nobody can connect before.
        account = f"'{ADMIN}'@'127.0.0.1'"
        path = directory / "init.sql"
        path.touch(mode=0o600)
        path.write_text(
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO {account} WITH GRANT OPTION;\n"
        )
        processes.give_away(path)

    def command(self, directory, port):
        """The command that runs the server."""
        return [
            self.binaries.path(self.binaries.server),
            "--no-defaults",
            *_places(self.binaries),
            f"--datadir={directory / 'data'}",
            f"--port={port}",
            f"--init-file={directory / 'init.sql'}",
            *SETTINGS,
        ]

    def set_up(self, directory, port, user, password, database):
        """Make the master user and the first database."""
        (directory / "init.sql").unlink(missing_ok=True)
        with self._session(port) as session:
            session.execute("CREATE USER %s@'%%' IDENTIFIED BY %s", (user, password))
            session.execute("GRANT ALL PRIVILEGES ON *.* TO %s@'%%' WITH GRANT OPTION", (user,))
            if database:
                name = database.replace("`", "``")
                session.execute(f"CREATE DATABASE `{name}`".replace("%", "%%"))

    def is_ready(self, port):
        """Whether the server answers."""
        try:
            with self._session(port):
                return True
        except (pymysql.MySQLError, OSError):
            return False

    def set_password(self, port, user, password):
        """Give the master user a new password."""
        with self._session(port) as session:
            session.execute("ALTER USER %s@'%%' IDENTIFIED BY %s", (user, password))

    def rows(self, port):
        """How many rows each table holds."""
        counts = {}
        with self._session(port) as session:
            session.execute(
                "SELECT table_schema, table_name FROM information_schema.tables"
                " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN"
                " ('information_schema', 'mysql', 'performance_schema', 'sys')"
            )
            for schema, table in session.fetchall():
                names = [name.replace("`", "``") for name in (schema, table)]
                session.execute("SELECT count(*) FROM `{}`.`{}`".format(*names))
                counts[f"{schema}.{table}"] = session.fetchone()[0]
        return dict(sorted(counts.items()))

    def _session(self, port):
        connection = pymysql.connect(
            host="127.0.0.1",
            port=port,
            user=ADMIN,
            password=self.password,
            autocommit=True,
            connect_timeout=10,
        )
        return _Session(connection)


class _Session:
    """A cursor that closes its connection."""

    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        return self.connection.cursor()

    def __exit__(self, *_):
        self.connection.close()


def _places(found):
    """Where an unpacked server finds its messages and plugins."""
    if found.root is None:
        return []
    usr = found.root / "usr"
    return [f"--basedir={usr}", f"--lc-messages-dir={usr / 'share/mysql'}"]


def _make_template(found, staging):
    (staging / "data").mkdir(mode=0o700)
    processes.give_away(staging / "data")
    processes.run(_install_command(found, staging), cwd="/", env=found.environment)


def _install_command(found, staging):
    data = f"--datadir={staging / 'data'}"
    script = found.path("mariadb-install-db") or found.path("mysql_install_db")
    if script is None:
        server = found.path(found.server)
        return [server, "--no-defaults", "--initialize-insecure", data]
    places = [f"--basedir={found.root / 'usr'}"] if found.root else []
    options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    return [script, "--no-defaults", *places, data, *options]
