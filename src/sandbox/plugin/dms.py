"""Database Migration Service: moto has half of it, so the sandbox has its own."""

import json

from moto.core.resource_tagging import TaggedResource
from moto.dms.models import DatabaseMigrationServiceBackend, dms_backends
from moto.dms.responses import DatabaseMigrationServiceResponse

from . import dms_endpoints, dms_instances, dms_tasks
from .dms_store import invalid, missing, store
from .patching import page, replaces

OPERATIONS = (
    dms_instances.create_replication_subnet_group,
    dms_instances.modify_replication_subnet_group,
    dms_instances.describe_replication_subnet_groups,
    dms_instances.delete_replication_subnet_group,
    dms_instances.create_replication_instance,
    dms_instances.modify_replication_instance,
    dms_instances.describe_replication_instances,
    dms_instances.delete_replication_instance,
    dms_instances.import_certificate,
    dms_instances.describe_certificates,
    dms_instances.delete_certificate,
    dms_endpoints.create_endpoint,
    dms_endpoints.modify_endpoint,
    dms_endpoints.describe_endpoints,
    dms_endpoints.delete_endpoint,
    dms_endpoints.test_connection,
    dms_endpoints.describe_connections,
    dms_endpoints.delete_connection,
    dms_tasks.create_replication_task,
    dms_tasks.modify_replication_task,
    dms_tasks.move_replication_task,
    dms_tasks.start_replication_task,
    dms_tasks.stop_replication_task,
    dms_tasks.describe_replication_tasks,
    dms_tasks.delete_replication_task,
)
KINDS = {
    "subgrp": "dms:subgrp",
    "rep": "dms:rep",
    "endpoint": "dms:endpoint",
    "task": "dms:task",
    "cert": "dms:cert",
}


def _known(own, arn):
    """Whether the ARN is of anything there is."""
    return any(thing.arn == arn for family in own.families() for thing in family.values())


def add_tags_to_resource(own, request):
    if not _known(own, request["ResourceArn"]):
        raise missing(request["ResourceArn"])
    own.tag(request["ResourceArn"], request["Tags"])
    return {}


def remove_tags_from_resource(own, request):
    if not _known(own, request["ResourceArn"]):
        raise missing(request["ResourceArn"])
    for key in request["TagKeys"]:
        own.tags.get(request["ResourceArn"], {}).pop(key, None)
    return {}


def list_tags_for_resource(own, request):
    one, many = request.get("ResourceArn"), request.get("ResourceArnList")
    if bool(one) == bool(many):
        raise invalid("Either ResourceArn or ResourceArnList must be given.")
    tags = []
    for arn in many or [one]:
        if not _known(own, arn):
            raise missing(arn)
        for key, value in own.tags.get(arn, {}).items():
            tags.append({"Key": key, "Value": value, **({"ResourceArn": arn} if many else {})})
    return {"TagList": tags}


def _shown(value):
    """Without what is not set; DMS leaves it out."""
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items() if one is not None}
    return [_shown(one) for one in value] if isinstance(value, list) else value


def _answering(operation):
    def answer(self):
        request = json.loads(self.body)
        own = store(dms_backends[self.current_account][self.region])
        with own.lock:
            own.settle()
            result = operation(own, request)
            for name, things in list(result.items()):
                if isinstance(things, list) and operation.__name__.startswith("describe_"):
                    limit = request.get("MaxRecords")
                    result[name], marker = page(things, request.get("Marker"), limit)
                    result["Marker"] = marker
            return json.dumps(_shown(result))

    return answer


for _operation in (
    *OPERATIONS,
    add_tags_to_resource,
    remove_tags_from_resource,
    list_tags_for_resource,
):
    setattr(DatabaseMigrationServiceResponse, _operation.__name__, _answering(_operation))


@replaces(DatabaseMigrationServiceBackend)
def iter_tagged_resources(_original, self):
    """Everything that is tagged."""
    for arn, tags in list(store(self).tags.items()):
        yield TaggedResource(arn, dict(tags), KINDS[arn.split(":")[5]])
