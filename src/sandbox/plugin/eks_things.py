"""What EKS keeps, how it passes from one status to the next, and how it is found."""

import copy
import time
import uuid

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.eks import urls
from moto.eks.models import eks_backends
from moto.eks.responses import EKSResponse

from . import latency
from .patching import page, replaces

FREE = "/clusters/(?P<name>[^/]+)"
PATHS = [
    "/updates$",
    "/updates/(?P<updateId>[^/]+)$",
    "/encryption-config/associate$",
    "/node-groups/(?P<nodegroupName>[^/]+)/update-version$",
    "/addons$",
    "/addons/(?P<addonName>[^/]+)$",
    "/addons/(?P<addonName>[^/]+)/update$",
    "/access-entries$",
    "/access-entries/(?P<principalArn>.+)$",
    "/pod-identity-associations$",
    "/pod-identity-associations/(?P<associationId>[^/]+)$",
]
for path in PATHS:
    urls.url_paths["{0}" + FREE + path] = urls.response.dispatch


class Thing:
    """What has a status that passes by itself: a cluster, a node group, an add-on."""

    def __init__(self, fields, token=None):
        self.fields = fields
        self.token = token
        self.passing = None
        self.gone = False
        self.fields["createdAt"] = utcnow()

    def begin(self, status, then=None, final="ACTIVE"):
        """Enter a passing status, and leave it when the delay is over."""
        self.fields["status"] = status
        self.passing = (time.monotonic() + latency.seconds(self.kind(), status), then, final)
        self.settle()

    def kind(self):
        parts = {"nodegroupName": "eks_nodegroup", "addonName": "eks_addon"}
        return next((kind for part, kind in parts.items() if part in self.fields), "eks_cluster")

    def settle(self):
        """Whoever looks finds what has become of it by now."""
        if self.passing and time.monotonic() >= self.passing[0]:
            _, then, final = self.passing
            self.passing = None
            self.fields["status"] = final
            if then:
                then()


class Cluster(Thing):
    """A cluster, and what is in it."""

    def __init__(self, fields, token):
        super().__init__(fields, token)
        self.nodegroups = {}
        self.addons = {}
        self.entries = {}
        self.associations = {}
        self.updates = {}


class Refusal(ServiceException):
    """An error of EKS's."""

    # moto looks the error up in the model of the service whose module it is from.
    __module__ = "moto.eks.exceptions"


def refuse(code, message):
    """Answer with an error."""
    raise Refusal(code, message)


def arn_of(response, resource):
    """An ARN of EKS's."""
    return f"arn:aws:eks:{response.region}:{response.current_account}:{resource}"


def ec2_of(response):
    """The network that the request is about."""
    return ec2_backends[response.current_account][response.region]


def operation(function):
    """Let EKS answer the operation of the function's name."""
    setattr(EKSResponse, function.__name__, function)
    return function


@replaces(EKSResponse)
def __init__(original, self):
    """Requests are read by AWS's own model of them."""
    original(self)
    self.automated_parameter_parsing = True


def clusters_of(response):
    """The clusters that there are by now."""
    clusters = eks_backends[response.current_account][response.region].clusters
    for name, cluster in list(clusters.items()):
        cluster.settle()
        if cluster.gone:
            del clusters[name]
    return clusters


def cluster_of(response, active=False):
    """The cluster that the request names."""
    asked = response.params
    name = asked.get("clusterName") or asked.get("name")
    cluster = clusters_of(response).get(name)
    if cluster is None:
        refuse("ResourceNotFoundException", f"No cluster found for name: {name}.")
    if active and cluster.fields["status"] not in ("ACTIVE", "UPDATING"):
        refuse("InvalidRequestException", f"Cluster '{name}' is not in ACTIVE status")
    return cluster


def one_of(things, name, what):
    """The thing of that name."""
    found = present(things).get(name)
    if found is None:
        refuse("ResourceNotFoundException", f"No {what} found for name: {name}.")
    return found


def present(things):
    """The things that there are by now."""
    for name, thing in list(things.items()):
        thing.settle()
        if thing.gone:
            del things[name]
    return things


def paged(response, key, items):
    """One page of a list, as the request wants it."""
    asked = response.params
    shown, token = page(items, asked.get("nextToken"), asked.get("maxResults"))
    return ActionResult({key: shown, "nextToken": token})


def answer(key, thing):
    """What the thing looks like now."""
    return ActionResult({key: copy.deepcopy(thing.fields)})


def owner(named):
    """What a request, or an update, is about: the node group or add-on, or the cluster itself."""
    return named.get("nodegroupName"), named.get("addonName")


def start_update(cluster, kind, *, begin=True, thing=None, then=None):
    """Start an update of a cluster or of something in it."""
    thing = thing or cluster
    update = {
        "id": str(uuid.uuid4()),
        "status": "InProgress",
        "type": kind,
        "params": [],
        "createdAt": utcnow(),
        "errors": [],
    }
    cluster.updates[update["id"]] = (owner(thing.fields), update)

    def done():
        update["status"] = "Successful"
        if then:
            then()

    if begin:
        thing.begin("UPDATING", done)
    else:
        done()
    return ActionResult({"update": dict(update)})
