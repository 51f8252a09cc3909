"""Policies that are enforced, when a test asks for it: by default the sandbox denies nothing."""

from moto import settings
from moto.iam.access_control import IAMRequestBase

from .patching import replaces


def enforce():
    """From now on, an access key may do what its user's policies allow, and nothing else."""
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    return {}


@replaces(IAMRequestBase)
def check_signature(_original, _self):
    """Who signs counts; moto's own idea of a signature knows only its own SDK."""
