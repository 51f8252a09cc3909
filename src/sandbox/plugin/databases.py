"""The database servers of this sandbox: one behind every RDS instance and every warehouse."""

import shutil
import socket
import sys
import threading
import time
import uuid

from . import processes, settings
from .mariadb import MariaDb
from .postgres import Postgres
from .processes import ServerError

# A PostgreSQL stands in for Redshift too.
ENGINES = {"postgres": Postgres, "redshift": Postgres, "mysql": MariaDb, "mariadb": MariaDb}
START_TIMEOUT = 60.0
START_ATTEMPTS = 3

_engines = {}
_engines_lock = threading.Lock()
_running = set()


def note(text):
    """Tell the log what takes long."""
    print(text, file=sys.stderr, flush=True)


def has_server(engine):
    """Whether the sandbox runs a real server for this engine."""
    return settings.databases and engine in ENGINES


def _engine(name):
    """The engine, found or installed at its first use."""
    kind = ENGINES[name]
    with _engines_lock:
        if kind not in _engines:
            _engines[kind] = kind(settings.cache, note)
        return _engines[kind]


class Database:
    """A running server with a master user and one database."""

    def __init__(self, engine_name, instance_id):
        self.engine = _engine(engine_name)
        self.engine_name = engine_name
        self.instance_id = instance_id
        self.directory = _data_root() / f"{instance_id}-{uuid.uuid4().hex[:8]}"
        self.port = _free_port()
        self.process = None
        self.closed = False
        # The server belongs to the process that this one was copied from.
        self.borrowed = False
        _running.add(self)

    def start(self, user, password, name):
        """Start the server and wait until it can be used."""
        try:
            self._start(user, password, name)
        except BaseException:
            # Also when the instance was deleted meanwhile: nothing may stay behind.
            self._end()
            raise

    def _start(self, user, password, name):
        self.directory.mkdir(mode=0o755)
        processes.give_away(self.directory)
        self.engine.prepare(self.directory)
        for attempt in range(START_ATTEMPTS):
            if self._started():
                break
            if attempt + 1 == START_ATTEMPTS:
                raise ServerError(f"the server did not start:\n{self._last_lines()}")
            self.port = _free_port()
        self.engine.set_up(self.directory, self.port, user, password, name)

    def _started(self):
        """Start the process once; false when it ended, as when its port was taken."""
        self.process = processes.start(
            self.engine.command(self.directory, self.port),
            cwd=self.directory,
            log=self.directory / "server.log",
            env=self.engine.binaries.environment,
            death_signal=self.engine.death_signal,
        )
        (self.directory / "pid").write_text(str(self.process.pid))
        give_up = time.monotonic() + START_TIMEOUT
        while time.monotonic() < give_up and not self.closed:
            if self.process.poll() is not None:
                return False
            if self.engine.is_ready(self.port):
                return True
            time.sleep(0.03)
        raise ServerError(f"the server did not answer:\n{self._last_lines()}")

    def _last_lines(self):
        lines = (self.directory / "server.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-8:])

    def set_password(self, user, password):
        """Give the master user a new password."""
        self.engine.set_password(self.port, user, password)

    def remove(self):
        """Stop the server and delete its data."""
        self.closed = True
        self._end()

    def _end(self):
        if self.borrowed:
            _running.discard(self)
            return
        if self.process is not None:
            processes.stop(self.process, self.engine.stop_signal)
        shutil.rmtree(self.directory, ignore_errors=True)
        _running.discard(self)

    def rows(self):
        """How many rows each table holds; nothing while the server starts or ends."""
        try:
            return self.engine.rows(self.port)
        except Exception:  # each client has its own errors
            return None

    def describe(self):
        """What `lagoa sandbox status` shows."""
        return {"id": self.instance_id, "engine": self.engine_name, "port": self.port}


def running():
    """All databases, by name."""
    return sorted((d.describe() for d in list(_running)), key=lambda d: d["id"])


def rows():
    """How many rows each table of each database holds."""
    return {d.instance_id: d.rows() for d in list(_running)}


def begin_anew():
    """As the copy of a process whose servers these are."""
    for database in _running:
        database.borrowed = True


def remove_all():
    """Stop every server at once."""
    threads = [threading.Thread(target=d.remove) for d in list(_running)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def remove_leftovers():
    """Clean up after a sandbox in the same place that was killed."""
    for directory in _data_root().iterdir():
        processes.kill_leftover(directory / "pid", directory)
    close()


def close():
    """Stop every server, and leave nothing on the disk."""
    remove_all()
    shutil.rmtree(_data_root(), ignore_errors=True)


def _data_root():
    return processes.own_directory(processes.reachable(settings.home / "databases"))


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
