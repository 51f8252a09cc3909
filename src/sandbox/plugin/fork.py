"""Copies of the sandbox: worlds of their own that begin where this one stands.

A test that tries many things from one state makes that state once, and a copy for each try.
A copy is a forked process, so that whatever moto keeps, and wherever, is copied with it. The
database servers stay with the process that started them; a copy may read from those it finds, and
starts those that it needs for itself.
"""

import gc
import itertools
import json
import os
import shutil
import signal
import threading

from . import databases, processes, settings, warm_up

_numbers = itertools.count(1)


def fork(serve):
    """Start a copy, which `serve`s at its own place; return where that is."""
    home = settings.home / f"copy-{next(_numbers)}"
    home.mkdir(parents=True)
    # A lock that another thread holds while we fork would stay held in the copy for ever.
    warm_up.loaded.wait()
    # The parent of a copy is the thread that lives as long as the process.
    return processes.on_starter(_fork, home, serve)


def _fork(home, serve):
    reading, writing = os.pipe()
    # What is never looked at by the collector stays shared between the copies.
    gc.collect()
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _live(home, serve, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()
    return json.loads(told)


def _live(home, serve, writing):
    """The life of a copy; it never returns."""
    try:
        processes.begin_anew(signal.SIGKILL)
        settings.home = home
        databases.begin_anew()
        asked = threading.Event()
        where = {"home": str(home), "endpoint": serve(home, asked.set)}
        with os.fdopen(writing, "w") as pipe:
            json.dump(where, pipe)
        asked.wait()
        databases.close()
        shutil.rmtree(home, ignore_errors=True)
    finally:
        os._exit(0)
