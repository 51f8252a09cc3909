"""VPC endpoints: gateways are routes, interfaces take their time."""

import time

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.vpcs import VPCBackend, VPCEndPoint
from moto.ec2.responses.vpcs import VPCs

from . import latency
from .patching import replaces


@replaces(VPCEndPoint)
def __init__(original, self, *args, **kwargs):  # noqa: F811
    """An interface takes a while; gateways have no names."""
    original(self, *args, **kwargs)
    self.vpc_endpoint_type = self.vpc_endpoint_type or "Gateway"
    interface = self.vpc_endpoint_type == "Interface"
    self.private_dns_enabled = bool(self.private_dns_enabled) and interface
    if interface and not self.security_group_ids:
        default = self.ec2_backend.get_security_group_by_name_or_id("default", self.vpc_id)
        self.security_group_ids = [default.id]
    self.lagoa_changed = time.monotonic()
    self.state = "pending" if interface else "available"


def _endpoint_state(ec2, endpoint):
    takes = latency.seconds("ec2_vpc_endpoint", endpoint.state)
    settled = time.monotonic() - endpoint.lagoa_changed >= takes
    if settled and endpoint.state == "pending":
        endpoint.state = "available"
    elif settled and endpoint.state == "deleting":
        for interface in endpoint.network_interface_ids:
            ec2.enis.pop(interface, None)
        del ec2.vpc_end_points[endpoint.id]


def _endpoint_routes(ec2, tables, prefix_list, endpoint_id, add):
    """A gateway is a route in each of its tables."""
    for table in tables if prefix_list else []:
        if add:
            ec2.create_route(
                table, None, gateway_id=endpoint_id, destination_prefix_list_id=prefix_list
            )
        else:
            ec2.delete_route(table, None, destination_prefix_list_id=prefix_list)


@replaces(VPCBackend)
def create_vpc_endpoint(original, self, *args, **kwargs):
    """A service's gateway is in a route table once; a request that comes twice makes one."""
    token = kwargs.get("client_token")
    known = self.__dict__.setdefault("lagoa_endpoint_tokens", {}).get(token)
    if token and known in self.vpc_end_points:
        return self.vpc_end_points[known]
    for table in kwargs.get("route_table_ids") or []:
        self.get_route_table(table)
        for other in list(self.vpc_end_points.values()):
            same = other.service_name == kwargs.get("service_name")
            if same and table in other.route_table_ids:
                raise EC2ClientError(
                    "RouteAlreadyExists",
                    f"route table {table} already has a route with destination-prefix-list-id "
                    f"{other.destination_prefix_list_id}",
                )
    for group in kwargs.get("security_group_ids") or []:
        if self.get_security_group_from_id(group) is None:
            raise EC2ClientError(
                "InvalidGroup.NotFound", f"The security group '{group}' does not exist"
            )
    endpoint = original(self, *args, **kwargs)
    self.lagoa_endpoint_tokens[token] = endpoint.id
    return endpoint


@replaces(VPCBackend)
def modify_vpc_endpoint(original, self, vpc_id, **change):
    """Routes and interfaces follow."""
    endpoint = self.describe_vpc_endpoints([vpc_id])[0]
    subnets = set(endpoint.subnet_ids or [])
    prefix_list = endpoint.destination_prefix_list_id
    original(self, vpc_id, **change)
    removed = change.get("remove_route_tables") or []
    _endpoint_routes(self, removed, prefix_list, vpc_id, add=False)
    _endpoint_routes(self, change.get("add_route_tables") or [], prefix_list, vpc_id, add=True)
    if set(endpoint.subnet_ids or []) != subnets:
        for interface in endpoint.network_interface_ids:
            self.enis.pop(interface, None)
        made = [self.create_network_interface(subnet, None) for subnet in endpoint.subnet_ids]
        endpoint.network_interface_ids = [interface.id for interface in made]


@replaces(VPCBackend)
def delete_vpc_endpoints(_original, self, vpce_ids=None):
    """What isn't there is told in the answer."""
    unsuccessful = []
    for endpoint_id in vpce_ids or []:
        endpoint = self.vpc_end_points.get(endpoint_id)
        if endpoint is None:
            code = "InvalidVpcEndpoint.NotFound"
            message = f"The Vpc Endpoint Id '{endpoint_id}' does not exist"
            error = {"Code": code, "Message": message}
            unsuccessful.append({"Error": error, "ResourceId": endpoint_id})
        elif endpoint.state != "deleting":
            prefix_list = endpoint.destination_prefix_list_id
            tables = [one for one in endpoint.route_table_ids if one in self.route_tables]
            _endpoint_routes(self, tables, prefix_list, endpoint_id, add=False)
            endpoint.state = "deleting"
            endpoint.lagoa_changed = time.monotonic()
    return unsuccessful


@replaces(VPCs)
def delete_vpc_endpoints(_original, self):  # noqa: F811
    """The answer says what wasn't done."""
    ids = self._get_param("VpcEndpointIds", [])
    return ActionResult({"Unsuccessful": self.ec2_backend.delete_vpc_endpoints(ids)})


@replaces(VPCs)
def modify_vpc_endpoint(original, self):  # noqa: F811
    """moto leaves the names of a service out."""
    answer = original(self)
    asked = self._get_param("PrivateDnsEnabled")
    if asked is not None:
        endpoint = self.ec2_backend.vpc_end_points[self._get_param("VpcEndpointId")]
        endpoint.private_dns_enabled = str(asked).lower() == "true"
    return answer


@replaces(VPCBackend)
def describe_vpc_endpoints(original, self, vpc_end_point_ids, filters=None):
    """By now."""
    for endpoint in list(self.vpc_end_points.values()):
        _endpoint_state(self, endpoint)
    return original(self, vpc_end_point_ids, filters)
