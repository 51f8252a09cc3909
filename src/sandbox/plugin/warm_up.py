"""Loads the services that lagoa uses before the first request comes in."""

import importlib
import threading

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.utils import get_service_model

SERVICES = {
    "s3": "aws",
    "iam": "aws",
    "sts": "aws",
    "ec2": "us-east-1",
    "rds": "us-east-1",
    "emr": "us-east-1",
    "dms": "us-east-1",
    "secretsmanager": "us-east-1",
    "resourcegroupstaggingapi": "us-east-1",
}


def warm_up():
    """Import the services and make their backends."""
    for service, region in SERVICES.items():
        importlib.import_module(f"moto.{service}.responses")
        backends = get_backend(service)[DEFAULT_ACCOUNT_ID]
        backends[region]


# Set when nothing is loaded in the background any more.
loaded = threading.Event()


def load_models():
    """Read the services' descriptions, which the first request to each would wait for."""
    for service in SERVICES:
        get_service_model(service)
    loaded.set()
