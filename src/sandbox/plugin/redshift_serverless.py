"""Redshift Serverless: namespaces, which hold data, and workgroups, which work on it."""

import re
import threading
import uuid
from datetime import datetime, timezone

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from . import databases
from .json_services import Refusal, service
from .warehouse import Warehouse, weakness

NAME = re.compile(r"[a-z0-9-]{3,64}")
SNAPSHOT_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LOGS = {"useractivitylog", "userlog", "connectionlog"}
# Every parameter of a workgroup, with its default.
PARAMETERS = {
    "auto_mv": "true",
    "datestyle": "ISO, MDY",
    "enable_case_sensitive_identifier": "false",
    "enable_user_activity_logging": "true",
    "query_group": "default",
    "require_ssl": "true",
    "search_path": "$user, public",
    "use_fips_ssl": "false",
    "max_query_execution_time": "14400",
}
# UpdateWorkgroup changes one of these at a time.
CONCERNS = [
    "baseCapacity",
    "configParameters",
    "enhancedVpcRouting",
    "maxCapacity",
    "port",
    "publiclyAccessible",
    "securityGroupIds",
    "subnetIds",
    "trackName",
]

_lock = threading.RLock()
_namespaces, _workgroups, _snapshots, _tags = {}, {}, {}, {}


def reset():
    """Forget everything."""
    for known in (_namespaces, _workgroups, _snapshots, _tags):
        known.clear()


def tagged():
    """Every ARN with its tags, by region."""
    things = [*_namespaces.items(), *_workgroups.items()]
    return [(key[0], thing.arn, dict(_tags.get(thing.arn, {}))) for key, thing in things]


def invalid(message):
    """The error for wrong parameters."""
    return Refusal("ValidationException", message)


def busy():
    """The error while something else goes on."""
    return Refusal("ConflictException", "There is an operation running on the resource.")


def missing(what):
    """The error for what isn't there."""
    return Refusal("ResourceNotFoundException", f"Resource not found: {what}")


def _now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _arn(region, kind, identity):
    return f"arn:aws:redshift-serverless:{region}:{DEFAULT_ACCOUNT_ID}:{kind}/{identity}"


def _tag(arn, tags):
    _tags.setdefault(arn, {}).update({tag["key"]: tag["value"] for tag in tags or []})


class Namespace(Warehouse):
    """A database and its users."""

    kind = "redshift_serverless_namespace"

    def __init__(self, region, request):
        admin = request.get("adminUsername") or "admin"
        name, database = request["namespaceName"], request.get("dbName") or "dev"
        super().__init__(DEFAULT_ACCOUNT_ID, region, name, admin, database)
        self.id = str(uuid.uuid4())
        self.arn = _arn(region, "namespace", self.id)
        self.created = _now()
        self.roles = list(request.get("iamRoles") or [])
        self.default_role = request.get("defaultIamRoleArn")
        self.logs = list(request.get("logExports") or [])
        self.kms_key = request.get("kmsKeyId") or "AWS_OWNED_KMS_KEY"
        self.secret_key = request.get("adminPasswordSecretKmsKeyId")

    def describe(self):
        """What GetNamespace tells."""
        shown = {
            "namespaceArn": self.arn,
            "namespaceId": self.id,
            "namespaceName": self.name,
            "adminUsername": self.admin,
            "dbName": self.database,
            "kmsKeyId": self.kms_key,
            "defaultIamRoleArn": self.default_role,
            "iamRoles": self.roles,
            "logExports": self.logs,
            "status": self.status,
            "creationDate": self.created,
        }
        if self.secret:
            shown["adminPasswordSecretArn"] = self.secret_arn
            shown["adminPasswordSecretKmsKeyId"] = self.secret_key or "alias/aws/secretsmanager"
        return {name: value for name, value in shown.items() if value is not None}


def namespace_behind(region, workgroup):
    """The namespace that a usable workgroup works on."""
    found = _workgroups.get((region, workgroup))
    if found is None or found.status not in ("AVAILABLE", "MODIFYING"):
        return None
    return _namespaces.get((region, found.shown["namespaceName"]))


# --- namespaces -----------------------------------------------------------------------


def _namespace(region, request):
    name = request.get("namespaceName")
    if (region, name) not in _namespaces:
        raise missing(f"namespace {name}")
    return _namespaces[region, name]


def _check_admin(request):
    password = request.get("adminUserPassword")
    if password and request.get("manageAdminPassword"):
        raise invalid("adminUserPassword can't be used with manageAdminPassword.")
    if password and weakness(password):
        raise invalid(f"adminUserPassword {weakness(password)}.")
    if set(request.get("logExports") or []) - LOGS:
        raise invalid("logExports has an unknown log.")
    default = request.get("defaultIamRoleArn")
    roles = request.get("iamRoles")
    if default and roles is not None and default not in roles:
        raise invalid("The default role must be one of the namespace's roles.")


def create_namespace(region, request):
    """A namespace starts its server before any workgroup works on it."""
    name = request.get("namespaceName") or ""
    if not NAME.fullmatch(name):
        raise invalid("namespaceName must match ^[a-z0-9-]{3,64}$")
    _check_admin(request)
    with _lock:
        if (region, name) in _namespaces:
            raise Refusal("ConflictException", f"The namespace {name} already exists.")
        try:
            namespace = Namespace(region, request)
        except databases.ServerError as error:
            raise Refusal("InternalServerException", str(error), 500) from None
        _namespaces[region, name] = namespace
    if request.get("manageAdminPassword"):
        namespace.manage_password(request.get("adminPasswordSecretKmsKeyId"))
    else:
        namespace.set_password(request.get("adminUserPassword") or uuid.uuid4().hex + "A")
    _tag(namespace.arn, request.get("tags"))
    # The states have no word for being made.
    namespace.begin("MODIFYING", "AVAILABLE", work=namespace.start)
    return {"namespace": namespace.describe()}


def get_namespace(region, request):
    """One namespace."""
    return {"namespace": _namespace(region, request).describe()}


def list_namespaces(region, request):
    """All namespaces, page by page."""
    found = [one.describe() for (where, _), one in list(_namespaces.items()) if where == region]
    return _page("namespaces", found, request)


def update_namespace(region, request):
    """One concern at a time."""
    namespace = _namespace(region, request)
    if namespace.status != "AVAILABLE":
        raise busy()
    if request.get("kmsKeyId") and request.get("logExports") is not None:
        raise invalid("kmsKeyId and logExports can't be updated in one request.")
    user, password = request.get("adminUsername"), request.get("adminUserPassword")
    if user and not password and not request.get("manageAdminPassword"):
        raise invalid("adminUsername and adminUserPassword must be given together.")
    _check_admin(request)
    if request.get("manageAdminPassword"):
        namespace.secret_key = request.get("adminPasswordSecretKmsKeyId") or namespace.secret_key
        namespace.manage_password(namespace.secret_key)
    elif password:
        namespace.forget_secret()
        if user and user != namespace.admin:
            namespace.rename_admin(user)
        namespace.set_password(password)
    elif request.get("adminPasswordSecretKmsKeyId"):
        namespace.secret_key = request["adminPasswordSecretKmsKeyId"]

    def apply():
        if request.get("iamRoles") is not None:
            namespace.roles = list(request["iamRoles"])
        if "defaultIamRoleArn" in request:
            namespace.default_role = request["defaultIamRoleArn"] or None
        if request.get("logExports") is not None:
            namespace.logs = list(request["logExports"])
        namespace.kms_key = request.get("kmsKeyId") or namespace.kms_key

    namespace.begin("MODIFYING", "AVAILABLE", then=apply)
    return {"namespace": namespace.describe()}


def delete_namespace(region, request):
    """A namespace with a workgroup stays."""
    namespace = _namespace(region, request)
    if namespace.status != "AVAILABLE":
        raise busy()
    users = [one for one in _workgroups.values() if one.shown["namespaceName"] == namespace.name]
    if users:
        raise Refusal("ConflictException", "There is a workgroup associated with the namespace.")
    snapshot = request.get("finalSnapshotName")
    if snapshot is not None:
        if not SNAPSHOT_NAME.fullmatch(snapshot) or len(snapshot) > 255:
            raise invalid("finalSnapshotName is not a valid name.")
        if snapshot in _snapshots:
            raise Refusal("ConflictException", f"The snapshot {snapshot} already exists.")
        _snapshots[snapshot] = {"snapshotName": snapshot, "namespaceName": namespace.name}

    def gone():
        _namespaces.pop((region, namespace.name), None)
        _tags.pop(namespace.arn, None)

    namespace.begin("DELETING", "DELETING", work=namespace.remove, then=gone)
    return {"namespace": namespace.describe()}


# --- workgroups -----------------------------------------------------------------------


class Workgroup:
    """What works on a namespace's data."""

    kind = "redshift_serverless_workgroup"
    begin, _pass = Warehouse.begin, Warehouse._pass

    def __init__(self, region, request):
        self.name, self.region, self.status = request["workgroupName"], region, None
        self.id = str(uuid.uuid4())
        self.arn = _arn(region, "workgroup", self.id)
        values = {one["parameterKey"]: one["parameterValue"] for one in _given(request)}
        self.parameters = {**PARAMETERS, **values}
        ec2 = _ec2(region)
        vpc = ec2.get_default_vpc()
        default = ec2.describe_security_groups(
            filters={"vpc-id": [vpc.id], "group-name": ["default"]}
        )
        subnets = ec2.describe_subnets(filters={"vpc-id": [vpc.id]})
        self.shown = {
            "workgroupId": self.id,
            "workgroupArn": self.arn,
            "workgroupName": self.name,
            "namespaceName": request["namespaceName"],
            "baseCapacity": request.get("baseCapacity") or 128,
            "enhancedVpcRouting": request.get("enhancedVpcRouting") or False,
            "publiclyAccessible": request.get("publiclyAccessible") or False,
            "securityGroupIds": request.get("securityGroupIds") or [one.id for one in default],
            "subnetIds": request.get("subnetIds") or [one.id for one in subnets],
            "port": request.get("port") or 5439,
            "trackName": request.get("trackName") or "current",
            "creationDate": _now(),
        }
        if request.get("maxCapacity"):
            self.shown["maxCapacity"] = request["maxCapacity"]

    def describe(self):
        """What GetWorkgroup tells."""
        parameters = self.parameters.items()
        shown = {
            **self.shown,
            "status": self.status,
            "configParameters": [
                {"parameterKey": key, "parameterValue": value} for key, value in parameters
            ],
        }
        if self.status != "CREATING":
            host = f"{self.name}.{DEFAULT_ACCOUNT_ID}.{self.region}.redshift-serverless"
            address = f"{host}.amazonaws.com"
            shown["endpoint"] = {"address": address, "port": self.shown["port"]}
        return shown


def _ec2(region):
    return ec2_backends[DEFAULT_ACCOUNT_ID][region]


def _given(request):
    return request.get("configParameters") or []


def _check_workgroup(region, request):
    base, most = request.get("baseCapacity"), request.get("maxCapacity")
    if base is not None and base != 4 and (base % 8 or not 8 <= base <= 1024):
        raise invalid("baseCapacity must be 4, or a multiple of 8 from 8 to 1024.")
    if most is not None and most != -1 and base is not None and most < base:
        raise invalid("maxCapacity must not be below baseCapacity.")
    unknown = [one for one in _given(request) if one["parameterKey"] not in PARAMETERS]
    if unknown:
        raise invalid(f"Unknown parameter: {unknown[0]['parameterKey']}")
    ec2 = _ec2(region)
    known = {subnet.id: subnet for subnet in ec2.describe_subnets()}
    subnets = request.get("subnetIds") or []
    if any(subnet not in known for subnet in subnets):
        raise invalid("A subnet doesn't exist.")
    if subnets and len({known[subnet].availability_zone for subnet in subnets}) < 3:
        raise invalid("The subnets must be in at least three Availability Zones.")
    for group in request.get("securityGroupIds") or []:
        if ec2.get_security_group_from_id(group) is None:
            raise invalid(f"The security group {group} doesn't exist.")


def _workgroup(region, request):
    name = request.get("workgroupName")
    if (region, name) not in _workgroups:
        raise missing(f"workgroup {name}")
    return _workgroups[region, name]


def create_workgroup(region, request):
    """One workgroup works on one namespace."""
    name = request.get("workgroupName") or ""
    if not NAME.fullmatch(name):
        raise invalid("workgroupName must match ^[a-z0-9-]{3,64}$")
    _check_workgroup(region, request)
    with _lock:
        if (region, name) in _workgroups:
            raise Refusal("ConflictException", f"The workgroup {name} already exists.")
        namespace = _namespace(region, request)
        if namespace.status != "AVAILABLE":
            raise busy()
        users = [one.shown["namespaceName"] for one in _workgroups.values()]
        if namespace.name in users:
            raise invalid("The namespace is associated with another workgroup.")
        workgroup = _workgroups[region, name] = Workgroup(region, request)
    _tag(workgroup.arn, request.get("tags"))
    workgroup.begin("CREATING", "AVAILABLE")
    return {"workgroup": workgroup.describe()}


def get_workgroup(region, request):
    """One workgroup."""
    return {"workgroup": _workgroup(region, request).describe()}


def list_workgroups(region, request):
    """All workgroups, page by page."""
    found = [one.describe() for (where, _), one in list(_workgroups.items()) if where == region]
    return _page("workgroups", found, request)


def update_workgroup(region, request):
    """One change at a time."""
    workgroup = _workgroup(region, request)
    if workgroup.status != "AVAILABLE":
        raise busy()
    concerns = [name for name in CONCERNS if request.get(name) is not None]
    if len(concerns) != 1:
        raise invalid("You can only change one of the workgroup's parameters at a time.")
    _check_workgroup(region, {**workgroup.shown, **request})

    def apply():
        for one in _given(request):
            workgroup.parameters[one["parameterKey"]] = one["parameterValue"]
        for name in concerns:
            if name == "maxCapacity" and request[name] == -1:
                workgroup.shown.pop(name, None)
            elif name != "configParameters":
                workgroup.shown[name] = request[name]

    workgroup.begin("MODIFYING", "AVAILABLE", then=apply)
    return {"workgroup": workgroup.describe()}


def delete_workgroup(region, request):
    """Without its workgroup, a namespace keeps its data."""
    workgroup = _workgroup(region, request)
    if workgroup.status != "AVAILABLE":
        raise busy()

    def gone():
        _workgroups.pop((region, workgroup.name), None)
        _tags.pop(workgroup.arn, None)

    workgroup.begin("DELETING", "DELETING", then=gone)
    return {"workgroup": workgroup.describe()}


# --- tags -----------------------------------------------------------------------------


def _tags_of(request):
    arn = request.get("resourceArn")
    if all(thing.arn != arn for thing in [*_namespaces.values(), *_workgroups.values()]):
        raise missing(arn)
    return _tags.setdefault(arn, {})


def list_tags_for_resource(_region, request):
    """The tags of one thing."""
    return {"tags": [{"key": key, "value": value} for key, value in _tags_of(request).items()]}


def tag_resource(_region, request):
    """Sets tags."""
    _tags_of(request)
    _tag(request["resourceArn"], request.get("tags"))
    return {}


def untag_resource(_region, request):
    """Takes tags away."""
    tags = _tags_of(request)
    for key in request.get("tagKeys") or []:
        tags.pop(key, None)
    return {}


def _page(name, found, request):
    start, most = int(request.get("nextToken") or 0), int(request.get("maxResults") or 100)
    reply = {name: found[start : start + most]}
    if start + most < len(found):
        reply["nextToken"] = str(start + most)
    return reply


service(
    "redshift-serverless",
    {
        "CreateNamespace": create_namespace,
        "GetNamespace": get_namespace,
        "ListNamespaces": list_namespaces,
        "UpdateNamespace": update_namespace,
        "DeleteNamespace": delete_namespace,
        "CreateWorkgroup": create_workgroup,
        "GetWorkgroup": get_workgroup,
        "ListWorkgroups": list_workgroups,
        "UpdateWorkgroup": update_workgroup,
        "DeleteWorkgroup": delete_workgroup,
        "ListTagsForResource": list_tags_for_resource,
        "TagResource": tag_resource,
        "UntagResource": untag_resource,
    },
)
