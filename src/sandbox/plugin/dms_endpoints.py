"""DMS's endpoints, and the connections between them and instances."""

from ipaddress import ip_network

from moto.rds.models import rds_backends
from moto.s3.models import s3_backends

from .dms_instances import checked_name
from .dms_store import Refused, Thing, filtered, invalid, wrong_state

SERVERS = {
    "postgres": "PostgreSQLSettings",
    "aurora-postgresql": "PostgreSQLSettings",
    "mysql": "MySQLSettings",
    "mariadb": "MySQLSettings",
    "aurora": "MySQLSettings",
    "redshift": "RedshiftSettings",
}
BLOCKS = {**SERVERS, "s3": "S3Settings", "dynamodb": "DynamoDbSettings"}
TOP = ("ServerName", "Port", "Username", "DatabaseName")
S3_DEFAULTS = {
    "CsvRowDelimiter": "\\n",
    "CsvDelimiter": ",",
    "BucketFolder": "",
    "CompressionType": "NONE",
    "EnableStatistics": True,
    "DatePartitionEnabled": False,
}
# The network of the default VPC, where replication instances stand.
INSIDE = ip_network("172.31.0.0/16")


def create_endpoint(store, request):
    name = checked_name(request["EndpointIdentifier"], "EndpointIdentifier")
    store.refuse_double(store.endpoints, name, "Endpoint")
    engine, way = request["EngineName"], request["EndpointType"]
    if engine not in BLOCKS:
        raise invalid(f"Engine {engine} is not supported.")
    if way not in ("source", "target"):
        raise invalid(f"Endpoint type {way} is not valid.")
    shown = {
        "EndpointIdentifier": name,
        "EndpointType": way.upper(),
        "EngineName": engine,
        "EngineDisplayName": engine.capitalize(),
        "EndpointArn": store.arn("endpoint", request.get("ResourceIdentifier")),
        "SslMode": "none",
        "KmsKeyId": request.get(
            "KmsKeyId", f"arn:aws:kms:{store.region}:{store.account}:key/aws-dms"
        ),
    }
    endpoint = Thing("EndpointArn", "Status", shown)
    endpoint.become("active")
    _take(store, endpoint, request, engine)
    store.add(store.endpoints, name, endpoint, request.get("Tags"))
    return {"Endpoint": endpoint}


def _take(store, endpoint, request, engine):
    """Check what is asked for together with what there is, then keep it."""
    block = BLOCKS[engine]
    strange = [one for one in set(BLOCKS.values()) if request.get(one) and one != block]
    if strange:
        raise invalid(f"{strange[0]} does not go with {engine}.")
    old = endpoint.get(block, S3_DEFAULTS if engine == "s3" else {})
    settings = {**old, **(request.get(block) or {})}
    password = settings.pop("Password", None) or request.get("Password")
    password = password or endpoint.hidden.get("password")
    kept = {}
    for field in TOP:
        value = request.get(field) or settings.get(field) or endpoint.get(field)
        if engine in SERVERS and value is not None:
            kept[field] = settings[field] = value
    if engine in SERVERS:
        _check_server(kept, settings, password)
    for member in ("ServiceAccessRoleArn", "SecretsManagerAccessRoleArn"):
        if settings.get(member):
            store.require_role_arn(settings[member])
    if engine == "s3":
        needed = ("BucketName", "ServiceAccessRoleArn")
        if not all(settings.get(member) for member in needed):
            raise invalid("An S3 endpoint needs BucketName and ServiceAccessRoleArn.")
    ssl = request.get("SslMode") or endpoint["SslMode"]
    certificate = request.get("CertificateArn") or endpoint.get("CertificateArn")
    if ssl == "require" and engine in ("mysql", "mariadb", "aurora"):
        raise invalid(f"SslMode require is not supported for {engine}.")
    if ssl in ("verify-ca", "verify-full") and not certificate:
        raise invalid(f"SslMode {ssl} needs a certificate.")
    if certificate:
        store.by_arn(store.certificates, certificate, "Certificate")
        kept["CertificateArn"] = certificate
    endpoint.update({**kept, block: settings, "SslMode": ssl})
    endpoint.hidden["password"] = password


def _check_server(kept, settings, password):
    if settings.get("SecretsManagerSecretId"):
        if not settings.get("SecretsManagerAccessRoleArn"):
            raise invalid("SecretsManagerSecretId needs SecretsManagerAccessRoleArn.")
        return
    lacking = [field for field in TOP[:3] if not kept.get(field)]
    if lacking or not password:
        raise invalid(f"The endpoint needs {(lacking or ['Password'])[0]}.")


def modify_endpoint(store, request):
    endpoint = store.by_arn(store.endpoints, request["EndpointArn"], "Endpoint")
    engine = endpoint["EngineName"]
    if any(request.get(block) for block in set(BLOCKS.values())) and not request.get("EngineName"):
        raise Refused(
            "InvalidParameterCombinationException", "EngineName goes with an engine's settings."
        )
    if request.get("EngineName", engine) != engine:
        raise invalid("The engine can't be changed.")
    for task in _tasks(store, endpoint.arn):
        if task.status in ("running", "starting"):
            raise wrong_state(f"Endpoint {endpoint.arn} is part of a running task.")
    changed = dict(endpoint)
    _take(store, endpoint, request, engine)
    if changed != dict(endpoint) or request.get("Password"):
        for pair in [pair for pair in store.connections if pair[1] == endpoint.arn]:
            del store.connections[pair]
    return {"Endpoint": endpoint}


def _tasks(store, arn):
    ends = ("SourceEndpointArn", "TargetEndpointArn")
    return [task for task in store.tasks.values() if arn in [task[end] for end in ends]]


def describe_endpoints(store, request):
    fields = {
        "endpoint-id": "EndpointIdentifier",
        "endpoint-arn": "EndpointArn",
        "endpoint-type": "EndpointType",
        "engine-name": "EngineName",
    }
    return {"Endpoints": filtered(store.endpoints.values(), request, fields)}


def delete_endpoint(store, request):
    arn = request["EndpointArn"]
    endpoint = store.by_arn(store.endpoints, arn, "Endpoint")
    if _tasks(store, arn):
        raise wrong_state(f"Endpoint {arn} is part of one or more ReplicationTasks.")
    if endpoint.status == "deleting":
        raise wrong_state(f"Endpoint {arn} is being deleted.")
    for pair in [pair for pair in store.connections if pair[1] == arn]:
        del store.connections[pair]
    name = endpoint["EndpointIdentifier"]
    endpoint.begin("deleting", lambda: store.drop(store.endpoints, name))
    return {"Endpoint": endpoint}


# --- connections ----------------------------------------------------------------------


def test_connection(store, request):
    instance = store.by_arn(
        store.instances, request["ReplicationInstanceArn"], "Replication instance"
    )
    endpoint = store.by_arn(store.endpoints, request["EndpointArn"], "Endpoint")
    if instance.status != "available":
        raise wrong_state(f"Replication instance {instance.arn} is {instance.status}.")
    pair = (instance.arn, endpoint.arn)
    if pair in store.connections and store.connections[pair].status == "testing":
        raise wrong_state("The connection is being tested.")
    shown = {
        "ReplicationInstanceArn": instance.arn,
        "EndpointArn": endpoint.arn,
        "EndpointIdentifier": endpoint["EndpointIdentifier"],
        "ReplicationInstanceIdentifier": instance["ReplicationInstanceIdentifier"],
        "LastFailureMessage": "",
    }
    connection = Thing("", "Status", shown)

    def end():
        why = _trouble(store, instance, endpoint)
        connection["LastFailureMessage"] = why or ""
        connection.become("failed" if why else "successful")

    connection.begin("testing", end)
    store.connections[pair] = connection
    return {"Connection": connection}


def _trouble(store, instance, endpoint):
    """Why the instance can't reach what the endpoint stands for."""
    if endpoint["EngineName"] == "s3":
        bucket = endpoint["S3Settings"]["BucketName"]
        if bucket not in s3_backends[store.account]["aws"].buckets:
            return f"Test Endpoint failed: the bucket {bucket} does not exist."
        return None
    rds = server_behind(store, endpoint)
    if rds is None:
        return None
    if not _let_in(store, instance, rds):
        return (
            "Test Endpoint failed: Application-Status: 1020912, Application-Message: Cannot "
            "connect to ODBC provider. Network error has occurred: could not connect to server: "
            "Connection timed out."
        )
    if rds._master_user_password != endpoint.hidden["password"]:
        return (
            "Test Endpoint failed: Application-Status: 1020912, Application-Message: Cannot "
            f"connect to ODBC provider. password authentication failed for user "
            f'"{endpoint["Username"]}".'
        )
    return None


def server_behind(store, endpoint):
    """The RDS instance that an endpoint of a server leads to."""
    place = (endpoint.get("ServerName"), endpoint.get("Port"))
    for one in list(rds_backends[store.account][store.region].databases.values()):
        shown = one.endpoint
        if shown and (shown["Address"], int(shown["Port"])) == place:
            return one
    return None


def _let_in(store, instance, rds):
    """Whether a rule of the server's security groups is for the replication instance."""
    groups = {one.id: one for vpc in store.ec2.groups.values() for one in vpc.values()}
    walls = [groups[one] for one in rds.vpc_security_group_ids if one in groups]
    rules = [rule for wall in walls for rule in wall.ingress_rules]
    return any(_covers(rule, int(rds.port)) and _is_for(rule, instance) for rule in rules)


def _covers(rule, port):
    if rule.ip_protocol == "-1":
        return True
    return rule.ip_protocol == "tcp" and rule.from_port <= port <= rule.to_port


def _is_for(rule, instance):
    if rule.source_group.get("GroupId") in instance.hidden["groups"]:
        return True
    cidr = rule.ip_range.get("CidrIp")
    if not cidr:
        return False
    network = ip_network(cidr, strict=False)
    return network.num_addresses > 1 and INSIDE.overlaps(network)


def describe_connections(store, request):
    fields = {"endpoint-arn": "EndpointArn", "replication-instance-arn": "ReplicationInstanceArn"}
    if not request.get("Filters"):
        return {"Connections": list(store.connections.values())}
    return {"Connections": filtered(store.connections.values(), request, fields)}


def delete_connection(store, request):
    pair = (request["ReplicationInstanceArn"], request["EndpointArn"])
    if pair not in store.connections:
        raise Refused("ResourceNotFoundFault", "The connection does not exist.")
    return {"Connection": store.connections.pop(pair)}
