"""The Resource Groups Tagging API: what it sees, and what it does not."""

from moto.core.resource_tagging import (
    TaggedResource,
    iter_taggable_backends,
    make_tag_matcher,
    match_resource_type,
)
from moto.ec2.models import EC2Backend
from moto.iam.models import iam_backends
from moto.rds.models import RDSBackend
from moto.redshift.models import redshift_backends
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend
from moto.s3.models import s3_backends

from . import eks, emr, emr_serverless, redshift_serverless
from .patching import replaces

# Global services answer through this region alone.
GLOBAL_REGION = "us-east-1"


@replaces(RDSBackend)
def iter_tagged_resources(original, self):
    """moto leaves subnet and parameter groups out."""
    yield from original(self)
    groups = {
        "subgrp": self.subnet_groups,
        "pg": self.db_parameter_groups,
        "cluster-pg": self.db_cluster_parameter_groups,
    }
    for kind, resources in groups.items():
        for resource in list(resources.values()):
            tags = {tag["Key"]: tag["Value"] for tag in resource.get_tags()}
            yield TaggedResource(resource.arn, tags, f"rds:{kind}")


def _ec2_left_out(ec2):
    """What moto forgets of EC2."""
    every = {
        "elastic-ip": list(ec2.addresses),
        "key-pair": list(ec2.key_pairs.values()),
        "vpc-endpoint": list(ec2.vpc_end_points.values()),
    }
    for kind, things in every.items():
        for thing in things:
            arn = f"arn:{ec2.partition}:ec2:{ec2.region_name}:{ec2.account_id}:{kind}/{thing.id}"
            yield TaggedResource(arn, dict(ec2.tags.get(thing.id, {})), f"ec2:{kind}")


_ec2_resources = EC2Backend.iter_tagged_resources


def _all_of_ec2(self):
    yield from _ec2_resources(self)
    yield from _ec2_left_out(self)


EC2Backend.iter_tagged_resources = _all_of_ec2


def _iam_policies(account_id):
    """Of IAM, policies are seen; users and roles never are."""
    for policy in list(iam_backends[account_id]["aws"].managed_policies.values()):
        tags = {tag["Key"]: tag["Value"] for tag in policy.get_tags()}
        if tags:
            yield TaggedResource(policy.arn, tags, "iam:policy")


def _redshift(account_id, region):
    """moto leaves Redshift out."""
    backend = redshift_backends[account_id][region]
    for kind in ("cluster", "parametergroup", "subnetgroup"):
        for resource in list(backend.RESOURCE_TYPE_MAP[kind].values()):
            tags = {tag["Key"]: tag["Value"] for tag in resource.tags}
            yield TaggedResource(resource.arn, tags, f"redshift:{kind}")
    for where, arn, tags in redshift_serverless.tagged():
        if where == region:
            kind = arn.rsplit(":", 1)[-1].split("/")[0]
            yield TaggedResource(arn, tags, f"redshift-serverless:{kind}")


@replaces(ResourceGroupsTaggingAPIBackend)
def _get_resources_generator(
    _original, self, tag_filters=None, resource_type_filters=None, resource_arn_list=None
):
    """The tagged resources of this region, in an order that stays between pages."""
    matches = make_tag_matcher(tag_filters)
    found = [
        resource
        for resource in _all_resources(self)
        if resource.tags
        and match_resource_type(resource.resource_type, resource_type_filters)
        and matches(resource.tags)
        and (not resource_arn_list or resource.arn in resource_arn_list)
    ]
    return iter(found)


def _all_resources(self):
    buckets = s3_backends[self.account_id]["aws"].buckets
    for backend in iter_taggable_backends(self.account_id, self.region_name):
        for resource in list(backend.iter_tagged_resources()):
            bucket = resource.arn.removeprefix("arn:aws:s3:::")
            elsewhere = bucket in buckets and buckets[bucket].region_name != self.region_name
            if not elsewhere:
                yield resource
    yield from _redshift(self.account_id, self.region_name)
    yield from emr.tagged_resources(self.account_id, self.region_name)
    for arn, kind, fields in eks.things(self.account_id, self.region_name):
        yield TaggedResource(arn, dict(fields["tags"]), kind)
    yield from emr_serverless.tagged_resources(self.account_id, self.region_name)
    if self.region_name == GLOBAL_REGION:
        yield from _iam_policies(self.account_id)


@replaces(ResourceGroupsTaggingAPIBackend)
def get_resources(original, self, tags_per_page=100, **asked):
    """A page ends by its number of resources; moto always counts their tags too."""
    del tags_per_page
    return original(self, tags_per_page=1_000_000, **asked)
