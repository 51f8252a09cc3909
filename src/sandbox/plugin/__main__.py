"""Starts the sandbox: python -m lagoa_sandbox."""

import os
import signal
import sys
import threading

# Away from the terminal that started us, so that its Ctrl-C is not for us.
if os.getpgrp() != os.getpid():
    os.setsid()

# AWS's own policies can be attached; a browser's pages may not talk to the sandbox.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
# One account: without this, moto looks every access key up in every partition.
os.environ["MOTO_ACCOUNT_ID"] = "123456789012"
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

from . import quick_start  # noqa: E402, F401, I001  (comes first)
from . import databases, settings  # noqa: E402
from .announcement import announce  # noqa: E402
from .app import serve  # noqa: E402
from .warm_up import load_models, warm_up  # noqa: E402


def main():
    """Serve until told to stop, then take the databases along."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    databases.remove_leftovers()
    warm_up()
    server = serve(settings.home, on_stop=asked.set)
    announcement = announce(settings.home, server.server_port)
    threading.Thread(target=load_models, daemon=True).start()
    asked.wait()
    databases.close()
    announcement.unlink(missing_ok=True)
    # Threads of unfinished requests have nothing left to say.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
