"""Counts the API requests and writes one line of JSON for each."""

import json
import re
import threading
import time
from collections import Counter
from datetime import datetime, timezone
from urllib.parse import parse_qs

S3_SETTINGS = {
    "accelerate": "BucketAccelerateConfiguration",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "legal-hold": "ObjectLegalHold",
    "lifecycle": "BucketLifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "notification": "BucketNotificationConfiguration",
    "object-lock": "ObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "replication": "BucketReplication",
    "requestPayment": "BucketRequestPayment",
    "retention": "ObjectRetention",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "HEAD": "Head", "POST": "Post"}


class RequestLog:
    """What was asked of the sandbox since it started, or since the last reset."""

    def __init__(self, path):
        self._file = open(path, "a", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self._counts = Counter()

    def add(self, service, operation, status, took):
        """Note one answered request. Bodies stay out: they hold secrets."""
        line = {
            "time": datetime.fromtimestamp(time.time() - took, timezone.utc).isoformat(),
            "service": service,
            "operation": operation,
            "status": status,
            "ms": round(took * 1000, 1),
        }
        with self._lock:
            self._counts[f"{service}:{operation}"] += 1
            self._file.write(json.dumps(line) + "\n")

    def summary(self):
        """Counts by operation, and in all."""
        with self._lock:
            return {
                "total": sum(self._counts.values()),
                "operations": dict(sorted(self._counts.items())),
            }

    def reset(self):
        """Count from zero."""
        with self._lock:
            self._counts.clear()


def identify(environ, form_body):
    """The service and operation of a request."""
    signed_for = re.search(
        r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request",
        environ.get("HTTP_AUTHORIZATION", ""),
    )
    service = signed_for.group(1) if signed_for else "s3"
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return service, target.rsplit(".", 1)[-1]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    action = parse_qs(form_body or "").get("Action") or query.get("Action")
    if action:
        return service, action[0]
    if service == "s3":
        return service, _s3_operation(environ, query)
    return service, f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"


def _s3_operation(environ, query):
    if "x-id" in query:
        return query["x-id"][0]
    method = environ["REQUEST_METHOD"]
    bucket, _, key = environ.get("PATH_INFO", "").lstrip("/").partition("/")
    level = "Object" if key else "Bucket"
    for parameter, setting in S3_SETTINGS.items():
        if parameter in query:
            return VERBS.get(method, method) + setting
    if "tagging" in query:
        return f"{VERBS.get(method, method)}{level}Tagging"
    if "acl" in query:
        return f"{VERBS.get(method, method)}{level}Acl"
    if not bucket:
        return "ListBuckets"
    if key:
        return _s3_object_operation(environ, method, query)
    if method == "GET":
        return _s3_listing(query)
    verb = {"PUT": "CreateBucket", "POST": "DeleteObjects"}.get(method)
    return verb or f"{VERBS.get(method, method)}Bucket"


def _s3_listing(query):
    if "versions" in query:
        return "ListObjectVersions"
    if "uploads" in query:
        return "ListMultipartUploads"
    return "ListObjectsV2" if "list-type" in query else "ListObjects"


def _s3_object_operation(environ, method, query):
    if "uploadId" in query:
        return {
            "PUT": "UploadPart",
            "POST": "CompleteMultipartUpload",
            "DELETE": "AbortMultipartUpload",
        }.get(method, "ListParts")
    if "uploads" in query:
        return "CreateMultipartUpload"
    if method == "PUT" and "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return "CopyObject"
    return f"{VERBS.get(method, method)}Object"
