"""S3: what AWS gives every bucket, and what it refuses."""

import json
import re
import threading

import xmltodict
from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import InvalidBucketName, S3ClientError
from moto.s3.models import FakeBucket, PublicAccessBlock, S3Backend
from moto.s3.responses import S3Response

from .patching import replaces

OWNER_ENFORCED = "BucketOwnerEnforced"
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
RESERVED_NAME = re.compile(r"^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3)$")
ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


def _default_encryption():
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": "false",
    }
    return {"Rule": rule}


@replaces(FakeBucket)
def __init__(original, self, *args, **kwargs):
    """New buckets are encrypted, closed to the public, and without access lists."""
    original(self, *args, **kwargs)
    self.encryption = _default_encryption()
    self.public_access_block = PublicAccessBlock(True, True, True, True)
    self.ownership_rule = OWNER_ENFORCED


@replaces(S3Backend)
def create_bucket(original, self, bucket_name, *args, **kwargs):
    """Refuse the names that S3 refuses."""
    allowed = BUCKET_NAME.fullmatch(bucket_name) and ".." not in bucket_name
    if not allowed or ADDRESS.fullmatch(bucket_name) or RESERVED_NAME.search(bucket_name):
        raise InvalidBucketName()
    return original(self, bucket_name, *args, **kwargs)


@replaces(S3Backend)
def delete_bucket_encryption(_original, self, bucket_name):
    """Without settings of its own, a bucket has the default ones."""
    self.get_bucket(bucket_name).encryption = _default_encryption()


@replaces(S3Backend)
def delete_bucket(original, self, bucket_name):
    """Versions and delete markers keep a bucket alive too."""
    if list(self.get_bucket(bucket_name).keys):
        return None
    bucket = original(self, bucket_name)
    if bucket is not None:
        # A later bucket of this name must not inherit the tags.
        self.tagger.delete_all_tags_for_resource(bucket.arn)
    return bucket


@replaces(S3Backend)
def put_bucket_acl(original, self, bucket_name, acl):
    """A bucket whose owner owns everything in it has no access lists."""
    if acl and self.get_bucket(bucket_name).ownership_rule == OWNER_ENFORCED:
        raise S3ClientError("AccessControlListNotSupported", "The bucket does not allow ACLs")
    return original(self, bucket_name, acl)


@replaces(S3Backend)
def put_bucket_policy(original, self, bucket_name, policy):
    """Refuse what is not a policy."""
    try:
        statements = json.loads(policy)["Statement"]
    except (ValueError, KeyError, TypeError):
        raise S3ClientError(
            "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'"
        ) from None
    for statement in statements if isinstance(statements, list) else [statements]:
        for needed in ("Effect", "Principal", "Action", "Resource"):
            if needed not in statement and f"Not{needed}" not in statement:
                raise S3ClientError("MalformedPolicy", f"Missing required field {needed}")
    return original(self, bucket_name, policy)


@replaces(S3Response)
def _bucket_response_put(original, self, request, bucket_name, querystring):
    """CreateBucket sets the tags that came with it."""
    creates = not querystring.keys() - {"x-id"} and bucket_name not in self.backend.buckets
    response = original(self, request, bucket_name, querystring)
    if creates and self.body:
        asked = xmltodict.parse(self.body).get("CreateBucketConfiguration") or {}
        tags = (asked.get("Tags") or {}).get("Tag") or []
        tags = tags if isinstance(tags, list) else [tags]
        if tags:
            values = {tag["Key"]: tag.get("Value") or "" for tag in tags}
            self.backend.put_bucket_tagging(bucket_name, values)
    return response


S3_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@replaces(S3Response)
def get_bucket_versioning(_original, self):
    """The answer's root is VersioningConfiguration, which strict clients insist on."""
    status = self.backend.get_bucket_versioning(self.bucket_name)
    inner = f"<Status>{status}</Status>" if status else ""
    return 200, {}, f"<VersioningConfiguration {S3_NAMESPACE}>{inner}</VersioningConfiguration>"


@replaces(S3Response)
def get_bucket_notification(original, self):
    """An empty configuration has the right root too, and EventBridge comes back."""
    root = "NotificationConfiguration"
    configuration = self.backend.get_bucket_notification_configuration(self.bucket_name)
    inner = ""
    if configuration:
        answer = original(self)
        text = answer[2] if isinstance(answer, tuple) else answer
        text = text.decode() if isinstance(text, bytes) else text
        found = re.search(rf"<{root}[^>]*>(.*)</{root}>", text, re.DOTALL)
        inner = found.group(1) if found else ""
        if configuration.event_bridge is not None:
            inner += "<EventBridgeConfiguration/>"
    return 200, {}, f"<{root} {S3_NAMESPACE}>{inner}</{root}>"


# moto looks at a condition and writes in two steps, and serves every request in its own thread.
CONDITION_AND_WRITE = threading.RLock()


@replaces(S3Response)
def put_object(original, self):
    """Of two writers with the same condition exactly one wins."""
    with CONDITION_AND_WRITE:
        return original(self)


@replaces(S3Response)
def delete_object(original, self):
    """As for writing."""
    with CONDITION_AND_WRITE:
        return original(self)


@replaces(FakeBucket)
def get_permission(_original, self, action, resource):
    """Keep policies without enforcing them, as for IAM: moto reads neither their principals nor
    their conditions, so that a usual "deny what isn't encrypted" would lock everybody out."""
    return PermissionResult.NEUTRAL
