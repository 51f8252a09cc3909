"""Secrets Manager: names that wait for their deletion are taken."""

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import SecretsManagerBackend

from .patching import replaces


@replaces(SecretsManagerBackend)
def create_secret(original, self, name, *args, **kwargs):
    """Refuse the name of a secret that is scheduled for deletion."""
    secret = self.secrets.get(name)
    if secret is not None and secret.is_deleted():
        raise InvalidRequestException(
            "You can't create this secret because a secret with this name is already scheduled "
            "for deletion."
        )
    return original(self, name, *args, **kwargs)


@replaces(SecretsManagerBackend)
def update_secret(original, self, secret_id, *args, description=None, **kwargs):
    """An empty description is a description."""
    result = original(self, secret_id, *args, description=description, **kwargs)
    if description == "":
        self.secrets[secret_id].description = ""
    return result
