"""What Redshift clusters and serverless namespaces have in common: a server, an admin, a secret."""

import json
import re
import secrets as randomness
import string
import threading
import time

import pg8000.native
from moto.secretsmanager.models import secretsmanager_backends

from . import databases, latency

PASSWORD_LETTERS = string.ascii_letters + string.digits + "!#$%&()*+,-.:;<=>?[]^_{|}~"
# A PostgreSQL stands in for Redshift.
ENGINE = "redshift"


def weakness(password):
    """What Redshift has against an admin's password, or nothing."""
    if not 8 <= len(password) <= 64:
        return "must be between 8 and 64 characters in length"
    for letters, what in (("[A-Z]", "uppercase letter"), ("[a-z]", "lowercase letter")):
        if not re.search(letters, password):
            return f"must contain at least one {what}"
    if not re.search("[0-9]", password):
        return "must contain at least one number"
    if re.search(r"[^!-~]|['\"\\/@]", password):
        return "can be any printable ASCII character except ', \", \\, /, @, or space"
    return None


class Warehouse:
    """A server with an admin and a first database, in passing and lasting states."""

    def __init__(self, account_id, region, name, admin, database):
        self.account_id = account_id
        self.region = region
        self.name = name
        self.admin = admin
        self.database = database
        self.password = None
        self.secret = None
        self.status = None
        self.server = None
        if databases.has_server(ENGINE):
            self.server = databases.Database(ENGINE, name)

    # --- states ---

    def begin(self, passing, final, work=None, then=None):
        """Enter a passing status; leave it when the work is done and the delay is over."""
        self.status = passing
        arguments = (passing, final, work, then)
        thread = threading.Thread(target=self._pass, args=arguments, daemon=True)
        thread.start()

    def _pass(self, passing, final, work, then):
        ready_at = time.monotonic() + latency.seconds(self.kind, passing)
        try:
            if work:
                work()
        except Exception as error:  # whatever it was, the warehouse has failed
            databases.note(f"{self.name} failed while {passing}: {error}")
            self.status = "hardware-failure"
            return
        time.sleep(max(0, ready_at - time.monotonic()))
        if self.status != passing:
            return
        if then:
            then()
        if self.status == passing:
            self.status = final

    # --- the server ---

    def start(self):
        """Start the server behind it."""
        if self.server:
            self.server.start(self.admin, self.password, self.database)

    def remove(self):
        """End the server, and forget the secret."""
        if self.server:
            self.server.remove()
        self.forget_secret()

    # --- the admin's password ---

    def set_password(self, password):
        """Give the admin another password."""
        self.password = password
        if self.server and self.server.process is not None:
            self.server.set_password(self.admin, password)

    def rename_admin(self, name):
        """Give the admin another name."""
        if self.server and self.server.process is not None:
            with pg8000.native.Connection(
                self.admin,
                host="127.0.0.1",
                port=self.server.port,
                database=self.database,
                password=self.password,
            ) as session:
                role = pg8000.native.identifier(name)
                session.run(f"CREATE ROLE {role} SUPERUSER LOGIN")
        self.admin = name

    def manage_password(self, kms_key):
        """Make a password up and keep it in a secret."""
        self.set_password("".join(randomness.choice(PASSWORD_LETTERS) for _ in range(24)) + "aA1")
        if self.secret is None:
            self.secret = self._secrets().create_managed_secret(
                service_name="redshift",
                secret_id=f"redshift!{self.name}-{self.admin}",
                secret_string=self._credentials(),
                description=f"Managed admin password of {self.name}",
                kms_key_id=kms_key,
                tags=[],
            )

    def forget_secret(self):
        """The password is somebody's own from now on."""
        if self.secret is not None:
            self._secrets().delete_secret(
                self.secret.arn, recovery_window_in_days=None, force_delete_without_recovery=True
            )
        self.secret = None

    @property
    def secret_arn(self):
        """Where the managed password is."""
        return self.secret.arn if self.secret else None

    def _credentials(self):
        return json.dumps({"username": self.admin, "password": self.password})

    def _secrets(self):
        return secretsmanager_backends[self.account_id][self.region]
