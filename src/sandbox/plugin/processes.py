"""Child processes that die with the sandbox, and never run as root."""

import ctypes
import fcntl
import hashlib
import os
import pwd
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

PR_SET_PDEATHSIG = 1

# Linux sends the death signal when the *thread* that forked ends, not the process,
# so every server is started from this one thread, which lives as long as we do.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def on_starter(work, *arguments):
    """Do work on the thread whose children live as long as we do."""
    return _starter.submit(work, *arguments).result()


def begin_anew(death_signal):
    """Live on as a forked process that ends with its parent; the parent's threads are not here."""
    global _starter
    _starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, death_signal)


class ServerError(Exception):
    """A database server could not be found, made or started."""


def _identity():
    """Database servers refuse to run as root: root steps down to nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def give_away(path):
    """Hand a directory to the account that database servers run as."""
    identity = _identity()
    if identity:
        os.chown(path, identity["user"], identity["group"])


def start(command, *, cwd, log, env, death_signal):
    """Start a server that dies with this process; its output goes to the file `log`."""

    def before_exec():
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, death_signal)

    def popen():
        with open(log, "ab") as output:
            return subprocess.Popen(
                [str(word) for word in command],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=before_exec,
                **_identity(),
            )

    return on_starter(popen)


def run(command, *, cwd, env, stdin="", as_server=True):
    """Run a command to its end and return its output, or say how it failed."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=cwd,
        env=env,
        input=stdin,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **(_identity() if as_server else {}),
    )
    if done.returncode != 0:
        last = "\n".join(done.stdout.strip().splitlines()[-8:])
        raise ServerError(f"{words[0]} failed with code {done.returncode}: {last}")
    return done.stdout


def stop(process, how=signal.SIGTERM, patience=5.0):
    """End a server that we started; by force when it does not listen."""
    if process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def kill_leftover(pid_file, directory):
    """Kill the server of a sandbox that was itself killed, if it is still that server."""
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    if str(directory) in _command_of(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _command_of(pid):
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            return ""
    shown = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(shown, capture_output=True, text=True).stdout


def reachable(path):
    """`path`, or a stand-in for it that the servers' account can reach.

    Root's home is closed to others, so what the servers need cannot live below it.
    """
    path = Path(path)
    if os.geteuid() != 0 or _is_open(path):
        return path
    name = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"lagoa-{name}"


def _is_open(path):
    for directory in [path, *path.parents]:
        if directory.exists() and not directory.stat().st_mode & stat.S_IXOTH:
            return False
    return True


def own_directory(path):
    """Create a directory, and refuse one that somebody else has put in its place."""
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True, mode=0o755)
    if path.is_symlink() or path.stat().st_uid != os.geteuid():
        raise ServerError(f"{path} belongs to somebody else: remove it and try again")
    return path


@contextmanager
def locked(path):
    """Hold a lock between processes: sandboxes share what they install."""
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
