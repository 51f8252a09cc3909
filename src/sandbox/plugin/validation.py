"""Checks requests against AWS's own service models, because moto takes almost anything.

The wire form of a request is turned into a plain value by the shapes of its operation, and that
value is checked: members that don't exist, required ones that are missing, enums, patterns,
lengths and ranges. Started with LAGOA_SANDBOX_VALIDATE=1; only lagoa's own requests count.
"""

import io
import json
import re
import threading
import xml.etree.ElementTree as ElementTree
from functools import cache
from urllib.parse import parse_qsl, unquote

import botocore.session

from . import settings
from .calls import Calls

# The services by the name that requests are signed for, where the model's name differs.
MODELS = {"elasticmapreduce": "emr", "tagging": "resourcegroupstaggingapi"}
UNKNOWN = "not a member"


class Validation:
    """How many requests were checked, and what was wrong."""

    def __init__(self):
        self._lock = threading.Lock()
        self._checked = 0
        self._invalid = []
        self.calls = Calls()

    def look(self, environ, service, operation):
        """Check a request of lagoa's, and leave its body where it was."""
        if not settings.validate or "aws-sdk-rust" not in environ.get("HTTP_USER_AGENT", ""):
            return
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        name, value, wrong = examined(environ, body, service, operation)
        self.calls.note(service, name, value)
        with self._lock:
            self._checked += 1
            self._invalid += [f"{service}:{name}: {one}" for one in wrong]

    def summary(self):
        """What came out."""
        with self._lock:
            return {"checked": self._checked, "invalid": list(self._invalid)}


def problems(environ, body, service, operation):
    """The operation's name and what is wrong with a request."""
    name, _, wrong = examined(environ, body, service, operation)
    return name, wrong


def examined(environ, body, service, operation):
    """The operation's name, the request as a plain value, and what is wrong with it."""
    model = _model(MODELS.get(service, service))
    operation = _operation(model, environ, operation)
    if operation is None:
        return environ["PATH_INFO"], {}, [f"no such operation: {environ['REQUEST_METHOD']}"]
    if operation.input_shape is None:
        return operation.name, {}, []
    wrong = []
    value = _plain(model, operation, environ, body, wrong)
    _check(operation.input_shape, value, "", wrong)
    return operation.name, value, wrong


@cache
def _session():
    return botocore.session.get_session()


@cache
def _model(service):
    return _session().get_service_model(service)


def _operation(model, environ, named):
    if named in model.operation_names:
        return model.operation_model(named)
    return _rest_operation(model, environ)


@cache
def _templates(model):
    """Every REST operation: its method, path, the words that its query must have, and its name."""
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        words = frozenset(pair.split("=")[0] for pair in query.split("&") if pair)
        found.append((http["method"], re.compile(_pattern(path)), words, name))
    # The more words a query must have, the closer the match.
    return sorted(found, key=lambda one: -len(one[2]))


def _pattern(path):
    """What a path with labels matches."""
    pattern = re.sub(r"\\\{\w+\\\+\\\}", "(.+)", re.escape(path))
    return re.sub(r"\\\{\w+\\\}", "([^/]+)", pattern) + "/?"


def _rest_operation(model, environ):
    words = {word for word, _ in _query(environ)}
    identified = dict(_query(environ)).get("x-id")
    if identified:
        return model.operation_model(identified)
    for method, path, needed, name in _templates(model):
        fits = method == environ["REQUEST_METHOD"] and needed <= words
        if fits and path.fullmatch(_raw_path(environ)):
            return model.operation_model(name)
    return None


def _raw_path(environ):
    """The path as it was sent: a slash in a label is `%2F`."""
    return environ.get("RAW_URI", environ["PATH_INFO"]).split("?")[0]


def _query(environ):
    return parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)


def _plain(model, operation, environ, body, wrong):
    """The request as a value with the members' own names."""
    shape = operation.input_shape
    if model.protocol in ("query", "ec2"):
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
        tree = _tree([(key, value) for key, value in pairs if key not in ("Action", "Version")])
        return _from_form(shape, tree, model.protocol == "ec2", "", wrong)
    if model.protocol in ("rest-json", "rest-xml"):
        return _from_rest(model, operation, environ, body, wrong)
    return _from_json(shape, json.loads(body or b"{}"), "", wrong)


def _tree(pairs):
    tree = {}
    for key, value in pairs:
        *outer, last = key.split(".")
        node = tree
        for part in outer:
            node = node.setdefault(part, {})
        node[last] = value
    return tree


def _members(shape, name_of):
    return {name_of(name, member): (name, member) for name, member in shape.members.items()}


def _structure(shape, given, name_of, convert, path, wrong):
    members = _members(shape, name_of)
    value = {}
    for key, inner in given.items():
        if key not in members:
            wrong.append(f"{path}{key}: {UNKNOWN} of {shape.name}")
            continue
        name, member = members[key]
        value[name] = convert(member, inner, f"{path}{name}.")
    return value


def _from_form(shape, node, ec2, path, wrong):
    def name_of(name, member):
        if ec2:
            wire = member.serialization.get("queryName") or member.serialization.get("name", name)
            return wire[0].upper() + wire[1:]
        if member.type_name == "list" and member.serialization.get("flattened"):
            return member.member.serialization.get("name", name)
        return member.serialization.get("name", name)

    def convert(member, inner, at):
        return _from_form(member, inner, ec2, at, wrong)

    if shape.type_name == "structure":
        return _structure(shape, node, name_of, convert, path, wrong)
    if shape.type_name == "list":
        if node == "":
            return []
        items = node
        if not ec2 and not shape.serialization.get("flattened"):
            items = node.get(shape.member.serialization.get("name", "member"), node)
        return [convert(shape.member, item, path) for item in items.values()]
    if shape.type_name == "map":
        entries = node.get("entry", node).values()
        return {entry["key"]: convert(shape.value, entry.get("value"), path) for entry in entries}
    return node


def _from_json(shape, node, path, wrong):
    def name_of(name, member):
        return member.serialization.get("name", name)

    def convert(member, inner, at):
        return _from_json(member, inner, at, wrong)

    if shape.type_name == "structure" and isinstance(node, dict) and not shape.is_document_type:
        return _structure(shape, node, name_of, convert, path, wrong)
    if shape.type_name == "list" and isinstance(node, list):
        return [convert(shape.member, item, path) for item in node]
    if shape.type_name == "map" and isinstance(node, dict):
        return {key: convert(shape.value, item, path) for key, item in node.items()}
    return node


def _from_xml(shape, node, path, wrong):
    def name_of(name, member):
        if member.type_name == "list" and member.serialization.get("flattened"):
            return member.member.serialization.get("name", member.serialization.get("name", name))
        return member.serialization.get("name", name)

    def convert(member, inner, at):
        if member.type_name == "list" and member.serialization.get("flattened"):
            return [_from_xml(member.member, item, at, wrong) for item in inner]
        return _from_xml(member, inner[0], at, wrong)

    if shape.type_name == "structure":
        given = {}
        for child in node:
            given.setdefault(child.tag.rpartition("}")[2], []).append(child)
        for name, text in node.attrib.items():
            spelt = name.rpartition("}")[2]
            given[f"xsi:{spelt}" if "}" in name else spelt] = [_leaf(text)]
        return _structure(shape, given, name_of, convert, path, wrong)
    if shape.type_name == "list":
        return [_from_xml(shape.member, item, path, wrong) for item in node]
    return node.text or ""


def _leaf(text):
    leaf = ElementTree.Element("leaf")
    leaf.text = text
    return leaf


def _from_rest(model, operation, environ, body, wrong):
    shape = operation.input_shape
    value = _from_locations(operation, environ)
    payload = shape.serialization.get("payload")
    if payload:
        member = shape.members[payload]
        if member.type_name in ("blob", "string"):
            value[payload] = body.decode("utf-8", "replace")
        elif body:
            value[payload] = _body(model, member, body, f"{payload}.", wrong)
    elif body.strip():
        inner = {n: m for n, m in shape.members.items() if "location" not in m.serialization}
        if inner:
            value.update(_body(model, shape, body, "", wrong))
    return value


def _body(model, shape, body, path, wrong):
    if model.protocol == "rest-xml":
        return _from_xml(shape, ElementTree.fromstring(body), path, wrong)
    return _from_json(shape, json.loads(body), path, wrong)


def _from_locations(operation, environ):
    """What stands in the path, the query and the headers."""
    template = operation.http["requestUri"].partition("?")[0]
    labels = re.findall(r"\{(\w+)\+?\}", template)
    found = re.fullmatch(_pattern(template), _raw_path(environ))
    in_path = dict(zip(labels, map(unquote, found.groups()), strict=True)) if found else {}
    query = dict(_query(environ))
    value = {}
    for name, member in operation.input_shape.members.items():
        wire = member.serialization.get("name", name)
        location = member.serialization.get("location")
        if location == "uri" and wire in in_path:
            value[name] = in_path[wire]
        elif location == "querystring" and wire in query:
            several = [text for word, text in _query(environ) if word == wire]
            value[name] = several if member.type_name == "list" else query[wire]
        elif location == "header":
            header = environ.get("HTTP_" + wire.upper().replace("-", "_"))
            if wire.lower() in ("content-type", "content-length"):
                header = environ.get(wire.upper().replace("-", "_"))
            if header is not None:
                value[name] = header
    return value


def _check(shape, value, path, wrong):
    if shape.type_name == "structure" and isinstance(value, dict):
        for name in shape.metadata.get("required", ()):
            if value.get(name) is None:
                wrong.append(f"{path}{name}: missing")
        for name, inner in value.items():
            if inner is not None:
                _check(shape.members[name], inner, f"{path}{name}.", wrong)
    elif shape.type_name == "list" and isinstance(value, list):
        _range(shape, len(value), "items", path, wrong)
        for item in value:
            _check(shape.member, item, path, wrong)
    elif shape.type_name == "map" and isinstance(value, dict):
        _range(shape, len(value), "entries", path, wrong)
        for key, item in value.items():
            _check(shape.key, key, path, wrong)
            _check(shape.value, item, path, wrong)
    else:
        _check_scalar(shape, value, path.rstrip("."), wrong)


SPELLINGS = {"integer": int, "long": int, "float": float, "double": float}


def _check_scalar(shape, value, path, wrong):
    kind = shape.type_name
    if kind in SPELLINGS:
        try:
            _range(shape, SPELLINGS[kind](value), "", path, wrong)
        except (TypeError, ValueError):
            wrong.append(f"{path}: no {kind}")
    elif kind == "boolean" and str(value).lower() not in ("true", "false"):
        wrong.append(f"{path}: no boolean")
    elif kind == "string" and not isinstance(value, str):
        wrong.append(f"{path}: no string")
    elif kind == "string":
        _range(shape, len(value), "characters", path, wrong)
        if shape.enum and value not in shape.enum:
            wrong.append(f"{path}: {value!r} is none of {', '.join(shape.enum)}")
        pattern = shape.metadata.get("pattern")
        if pattern and not _matches(pattern, value):
            wrong.append(f"{path}: {value[:60]!r} doesn't match {pattern}")


def _range(shape, size, unit, path, wrong):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    # The XML of S3 has no empty lists, and models say 0 for what they don't bound.
    if low is not None and size < low or high is not None and size > high:
        wrong.append(f"{path.rstrip('.')}: {size} {unit}, and {low} to {high} are allowed".strip())


@cache
def _compiled(pattern):
    """Java's patterns in Python's words; None for what Python can't read."""
    for name, letters in CLASSES.items():
        pattern = pattern.replace(f"\\p{{{name}}}", letters)
    pattern = re.sub(
        r"\\x\{?([0-9a-fA-F]{4,5})\}?", lambda m: re.escape(chr(int(m[1], 16))), pattern
    )
    try:
        return re.compile(pattern)
    except re.error:
        return None


LETTERS = "a-zA-Z\u00aa\u00b5\u00ba\u00c0-\u02ff\u0370-\ud7ff\uf900-\uffff"
CLASSES = {
    "L": LETTERS,
    "IsAlphabetic": LETTERS,
    "N": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Z": "\\s",
    "P": "!-/:-@\\[-`{-~",
    "S": "$+<=>^`|~",
    "ASCII": "\\x00-\\x7f",
}


def _matches(pattern, value):
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None
