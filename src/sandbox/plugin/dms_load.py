"""A full load from the sandbox's own PostgreSQL servers to S3, as CSV files."""

import csv
import io
import json
import re

import pg8000.native
from moto.s3.models import s3_backends

from .dms_endpoints import server_behind

TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1, 2
"""


def load(store, task):
    """Copy the selected tables: how many went well, how many didn't, and why."""
    source = store.by_arn(store.endpoints, task["SourceEndpointArn"], "Endpoint")
    target = store.by_arn(store.endpoints, task["TargetEndpointArn"], "Endpoint")
    server = server_behind(store, source)
    real = server is not None and getattr(server, "database", None) is not None
    if not real or source["EngineName"] != "postgres" or target["EngineName"] != "s3":
        return 1, 0, None
    bucket = s3_backends[store.account]["aws"]
    settings = target["S3Settings"]
    loaded, failures = 0, []
    session = pg8000.native.Connection(
        source["Username"],
        host=source["ServerName"],
        port=source["Port"],
        database=source.get("DatabaseName") or "postgres",
        password=source.hidden["password"],
        timeout=30,
    )
    with session:
        rules = json.loads(task["TableMappings"])["rules"]
        for schema, table in session.run(TABLES):
            if not _selected(rules, schema, table):
                continue
            try:
                body = _csv(session, schema, table, settings)
                folder = settings.get("BucketFolder")
                parts = [*([folder] if folder else []), schema, table, "LOAD00000001.csv"]
                bucket.put_object(settings["BucketName"], "/".join(parts), body)
                loaded += 1
            except Exception as error:  # the other tables go on
                failures.append(f"{schema}.{table}: {error}")
    if not loaded and not failures:
        return 0, 1, "No tables were found at task initialization."
    return loaded, len(failures), "; ".join(failures) or None


def _selected(rules, schema, table):
    selections = [rule for rule in rules if rule["rule-type"] == "selection"]
    hits = [
        rule["rule-action"]
        for rule in selections
        if _like(rule["object-locator"]["schema-name"], schema)
        and _like(rule["object-locator"]["table-name"], table)
    ]
    return "exclude" not in hits and bool(hits)


def _like(pattern, text):
    parts = [".*" if part == "%" else re.escape(part) for part in re.split("(%)", pattern)]
    return re.fullmatch("".join(parts), text) is not None


def _csv(session, schema, table, settings):
    name = ".".join(pg8000.native.identifier(part) for part in (schema, table))
    rows = session.run(f"SELECT * FROM {name}")
    out = io.StringIO()
    writer = csv.writer(out, delimiter=settings["CsvDelimiter"], lineterminator="\n")
    if settings.get("AddColumnName"):
        writer.writerow([column["name"] for column in session.columns])
    null = settings.get("CsvNullValue", "NULL")
    writer.writerows([null if value is None else value for value in row] for row in rows)
    return out.getvalue().encode()
