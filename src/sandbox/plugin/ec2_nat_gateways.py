"""NAT gateways: they take their time, and hold their address until they are gone."""

import time

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend
from moto.ec2.models.route_tables import RouteBackend
from moto.ec2.utils import generic_filter

from . import latency
from .patching import replaces

# How long EC2 tells of a gateway that is gone.
REMEMBERED = 3600


def nat_state(gateway):
    """What has become of a gateway by now."""
    changed, state = getattr(gateway, "lagoa_changed", 0), gateway.state
    settled = time.monotonic() - changed >= latency.seconds("ec2_nat_gateway", state)
    if settled and state == "pending":
        gateway.state = "available"
    elif settled and state == "deleting":
        _finish(gateway)
    return gateway.state


def _finish(gateway):
    ec2 = gateway.ec2_backend
    for address in list(ec2.addresses):
        if address.eni and address.eni.id == gateway._eni.id:
            ec2.disassociate_address(address=address.public_ip)
    ec2.enis.pop(gateway._eni.id, None)
    gateway.state = "deleted"
    gateway.address_set = []


@replaces(NatGateway)
def __init__(original, self, *args, **kwargs):
    """It takes a while."""
    original(self, *args, **kwargs)
    self._eni.description = f"Interface for NAT Gateway {self.id}"
    self.state = "pending"
    self.lagoa_changed = time.monotonic()


@replaces(NatGatewayBackend)
def create_nat_gateway(original, self, subnet_id, allocation_id, tags=None, connectivity_type=None):
    """Addresses that are in use are refused; without a way out it fails."""
    kind = connectivity_type or "public"
    subnet = self.get_subnet(subnet_id)
    if kind == "public":
        if not allocation_id:
            raise EC2ClientError("MissingParameter", "The request must include AllocationId")
        address = self.address_by_allocation([allocation_id])[0]
        if address.association_id:
            raise EC2ClientError(
                "Resource.AlreadyAssociated",
                f"Elastic IP address [{allocation_id}] is already associated",
            )
    gateway = original(self, subnet_id, allocation_id, tags, kind)
    attached = list(self.internet_gateways.values())
    if kind == "public" and not any(i.vpc and i.vpc.id == subnet.vpc_id for i in attached):
        gateway.state = "failed"
        gateway.failure_code = "Gateway.NotAttached"
        gateway.failure_message = f"Network {subnet.vpc_id} has no Internet gateway attached"
    return gateway


@replaces(NatGatewayBackend)
def describe_nat_gateways(original, self, filters, nat_gateway_ids):
    """By now; those that are gone stay for a while."""
    for gateway in list(self.nat_gateways.values()):
        nat_state(gateway)
        gone = gateway.state == "deleted"
        if gone and time.monotonic() - gateway.lagoa_changed > REMEMBERED:
            del self.nat_gateways[gateway.id]
    found = original(self, filters, nat_gateway_ids)
    by_tag = {name: value for name, value in (filters or {}).items() if name.startswith("tag")}
    return generic_filter(by_tag, found)


@replaces(NatGatewayBackend)
def delete_nat_gateway(_original, self, nat_gateway_id):
    """Its address stays in use until it is gone."""
    gateway = self.nat_gateways.get(nat_gateway_id)
    if gateway is None:
        raise EC2ClientError(
            "NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found"
        )
    if nat_state(gateway) not in ("deleting", "deleted"):
        gateway.state = "deleting"
        gateway.lagoa_changed = time.monotonic()
    return gateway


@replaces(EC2Backend)
def release_address(original, self, address=None, allocation_id=None):
    """An address in use stays."""
    for gateway in list(self.nat_gateways.values()):
        nat_state(gateway)
    by_id = self.address_by_allocation([allocation_id]) if allocation_id else []
    for one in by_id or self.address_by_ip([address]):
        if one.association_id:
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {one.public_ip} is in use.")
    return original(self, address, allocation_id)


@replaces(RouteBackend)
def create_route(original, self, route_table_id, *args, **kwargs):
    """A gateway that isn't there, or isn't ready, takes no traffic."""
    nat = kwargs.get("nat_gateway_id")
    if nat is not None:
        gateway = self.nat_gateways.get(nat)
        if gateway is None or nat_state(gateway) not in ("pending", "available"):
            raise EC2ClientError(
                "InvalidNatGatewayID.NotFound", f"The natGateway ID '{nat}' does not exist"
            )
    return original(self, route_table_id, *args, **kwargs)
