"""IAM: OpenID Connect providers, whose audiences moto can't change."""

from moto.core.responses import EmptyResult
from moto.iam.exceptions import EntityAlreadyExists
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

from .patching import replaces

# IAM finds the thumbprint by itself when nobody says one.
FOUND = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"


@replaces(IAMBackend)
def create_open_id_connect_provider(original, self, url, thumbprint_list, client_id_list, tags):
    """One for each URL, with a thumbprint in any case."""
    try:
        return original(self, url, thumbprint_list or [FOUND], client_id_list, tags)
    except EntityAlreadyExists:
        raise EntityAlreadyExists(f"Provider with url {url} already exists.") from None


def _provider(response):
    arn = response._get_param("OpenIDConnectProviderArn")
    return response.backend.get_open_id_connect_provider(arn)


@replaces(IamResponse)
def add_client_id_to_open_id_connect_provider(_original, self):
    """One that is there already is fine."""
    provider, client = _provider(self), self._get_param("ClientID")
    if client not in provider.client_id_list:
        provider.client_id_list = [*provider.client_id_list, client]
    return EmptyResult()


@replaces(IamResponse)
def remove_client_id_from_open_id_connect_provider(_original, self):
    """One that isn't there is fine."""
    provider, client = _provider(self), self._get_param("ClientID")
    provider.client_id_list = [one for one in provider.client_id_list if one != client]
    return EmptyResult()
