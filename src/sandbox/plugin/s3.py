"""S3: what AWS gives every bucket, and what it refuses."""

import copy
import json
import re
import threading
import uuid

import xmltodict
from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import InvalidBucketName, InvalidBucketState, S3ClientError
from moto.s3.models import FakeBucket, PublicAccessBlock, S3Backend
from moto.s3.responses import S3Response

from .patching import replaces

OWNER_ENFORCED = "BucketOwnerEnforced"
ALL_CLASSES = "all_storage_classes_128K"
MINIMUM_SIZE = "x-amz-transition-default-minimum-object-size"
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
    self.lifecycle_rules = []
    self.lifecycle_minimum = ALL_CLASSES


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
    """CreateBucket sets the tags that came with it; some settings travel in headers."""
    creates = not querystring.keys() - {"x-id"} and bucket_name not in self.backend.buckets
    response = original(self, request, bucket_name, querystring)
    if "lifecycle" in querystring:
        minimum = request.headers.get(MINIMUM_SIZE) or ALL_CLASSES
        self.backend.get_bucket(bucket_name).lifecycle_minimum = minimum
        return 200, {MINIMUM_SIZE: minimum}, ""
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


@replaces(S3Backend)
def put_object_lock_configuration(_original, self, bucket_name, lock_enabled, mode, days, years):
    """A bucket may get a lock at any time, full or not, once it has versions."""
    bucket = self.get_bucket(bucket_name)
    if not bucket.is_versioned:
        raise InvalidBucketState(
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        )
    bucket.object_lock_enabled = bool(lock_enabled)
    bucket.default_lock_mode = mode
    bucket.default_lock_days = days
    bucket.default_lock_years = years


@replaces(S3Backend)
def put_bucket_versioning(original, self, bucket_name, status):
    """Under a lock versions can't be given up."""
    if status != "Enabled" and self.get_bucket(bucket_name).object_lock_enabled:
        raise InvalidBucketState(
            "An Object Lock configuration is present on this bucket, so the versioning state "
            "cannot be changed.",
        )
    return original(self, bucket_name, status)


@replaces(S3Backend)
def put_bucket_lifecycle(original, self, bucket_name, rules):
    """Keep the rules as they came, each with an id; moto forgets sizes and numbers of versions."""
    sent = copy.deepcopy(rules)
    original(self, bucket_name, rules)
    for rule in sent:
        rule["ID"] = rule.get("ID") or str(uuid.uuid4())
    self.get_bucket(bucket_name).lifecycle_rules = sent


@replaces(S3Response)
def get_bucket_lifecycle(original, self):
    """The rules as they were put."""
    bucket = self.backend.get_bucket(self.bucket_name)
    if not bucket.rules:
        return original(self)
    rules = xmltodict.unparse({"Rule": bucket.lifecycle_rules}, full_document=False)
    body = f"<LifecycleConfiguration {S3_NAMESPACE}>{rules}</LifecycleConfiguration>"
    return 200, {MINIMUM_SIZE: bucket.lifecycle_minimum}, body


@replaces(S3Response)
def get_bucket_logging(original, self):
    """The setting as it was put, with the form of the keys."""
    logging = self.backend.get_bucket_logging(self.bucket_name)
    if logging and "TargetGrants" in logging:
        return original(self)
    inner = xmltodict.unparse({"LoggingEnabled": logging}, full_document=False) if logging else ""
    return 200, {}, f"<BucketLoggingStatus {S3_NAMESPACE}>{inner}</BucketLoggingStatus>"


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
