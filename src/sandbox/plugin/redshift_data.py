"""The Redshift Data API: SQL over HTTP, in front of the PostgreSQL behind each warehouse.

It keeps the documented limits, runs a batch as one transaction, and remembers client tokens.
"""

import hashlib
import json
import threading
import time
import uuid

import pg8000.native
from moto.core import DEFAULT_ACCOUNT_ID
from moto.redshift.models import redshift_backends
from moto.secretsmanager.models import secretsmanager_backends

from . import redshift_serverless
from .json_services import Refusal, service
from .redshift_dialect import commits, in_postgres

MOST_STATEMENTS = 40
LONGEST_STATEMENT = 100 * 1024
MOST_ACTIVE = 500
LONGEST_WAIT = 30
LONGEST_TOKEN = 64
DONE = ("FINISHED", "FAILED", "ABORTED")

_statements = {}
_tokens = {}
_changed = threading.Condition()


def reset():
    """Forget everything."""
    with _changed:
        _statements.clear()
        _tokens.clear()


def invalid(message):
    """The error that the Data API has for wrong requests."""
    return Refusal("ValidationException", message)


class Statement:
    """One request's SQL: a statement, or a batch of them in one transaction."""

    def __init__(self, region, request, sqls, batch):
        self.id = str(uuid.uuid4())
        self.region, self.request, self.sqls, self.batch = region, request, sqls, batch
        self.created = self.updated = time.time()
        self.status, self.error, self.answer = "SUBMITTED", None, None
        self.parts = ["SUBMITTED"] * len(sqls)
        self.answers = [None] * len(sqls)
        self.refusal = None

    def advance(self, status, error=None):
        """Go on to another status, and tell whoever waits."""
        with _changed:
            self.status, self.error, self.updated = status, error, time.time()
            _changed.notify_all()

    def head(self):
        """What every answer says of it."""
        known = ("ClusterIdentifier", "WorkgroupName", "Database", "DbUser", "SecretArn")
        told = {name: self.request[name] for name in known if name in self.request}
        return {"Id": self.id, "CreatedAt": self.created, **told}


# --- whom it is for -------------------------------------------------------------------


def _warehouse(region, request):
    cluster, workgroup = request.get("ClusterIdentifier"), request.get("WorkgroupName")
    if bool(cluster) == bool(workgroup):
        raise invalid("Specify either ClusterIdentifier or WorkgroupName.")
    if cluster:
        clusters = redshift_backends[DEFAULT_ACCOUNT_ID][region].clusters
        found = clusters.get(cluster)
        usable = ("available", "modifying", "resizing")
    else:
        found = redshift_serverless.namespace_behind(region, workgroup)
        usable = ("AVAILABLE", "MODIFYING")
    if found is None or found.status not in usable:
        raise invalid("Redshift endpoint doesn't exist in this region.")
    if workgroup and request.get("DbUser"):
        raise invalid("DbUser is not supported for a workgroup.")
    return found


def _credentials(region, request, warehouse):
    """The user to log in as; temporary credentials are the admin's here."""
    arn = request.get("SecretArn")
    if not arn:
        return warehouse.admin, warehouse.password
    secrets = secretsmanager_backends[DEFAULT_ACCOUNT_ID][region].secrets
    secret = next((one for one in list(secrets.values()) if arn in (one.arn, one.name)), None)
    if secret is None:
        raise invalid("Secrets Manager can't find the specified secret.")
    version = secret.versions[secret.default_version_id]
    login = json.loads(version["secret_string"])
    return login["username"], login["password"]


# --- asking for it --------------------------------------------------------------------


def _submit(region, request, sqls, batch):
    if not request.get("Database"):
        raise invalid("Database must not be null.")
    if not 1 <= len(sqls) <= MOST_STATEMENTS:
        raise invalid(
            f"Value at 'sqls' failed to satisfy constraint: Member must have length between 1 and "
            f"{MOST_STATEMENTS}"
        )
    if any(len(sql.encode()) > LONGEST_STATEMENT for sql in sqls):
        raise invalid("The query statement is longer than 100 KB.")
    if not all(sql.strip() for sql in sqls):
        raise invalid("The query statement is empty.")
    token = request.get("ClientToken")
    if token is not None and not 1 <= len(token) <= LONGEST_TOKEN:
        raise invalid("ClientToken must have length between 1 and 64.")
    warehouse = _warehouse(region, request)
    user, password = _credentials(region, request, warehouse)
    meaning = {name: value for name, value in request.items() if name != "WaitTimeSeconds"}
    digest = hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()
    with _changed:
        if token in _tokens:
            before, statement = _tokens[token]
            if before != digest:
                raise invalid("ClientToken was used before with another request.")
            return statement
        active = sum(one.status not in DONE for one in _statements.values())
        if active >= MOST_ACTIVE:
            raise Refusal("ActiveStatementsExceededException", "Too many active statements.")
        statement = Statement(region, request, sqls, batch)
        _statements[statement.id] = statement
        if token is not None:
            _tokens[token] = digest, statement
    thread = threading.Thread(target=_run, args=(statement, warehouse, user, password), daemon=True)
    thread.start()
    return statement


def execute_statement(region, request):
    """One statement, which commits by itself."""
    statement = _submit(region, request, [request.get("Sql") or ""], batch=False)
    return _told(statement, request)


def batch_execute_statement(region, request):
    """Up to forty statements, all of them or none."""
    if request.get("ExecutionMode") not in (None, "TRANSACTION"):
        raise Refusal("NotImplemented", "The sandbox has only the mode TRANSACTION.", 501)
    statement = _submit(region, request, list(request.get("Sqls") or []), batch=True)
    return _told(statement, request)


def _told(statement, request):
    _wait(statement, request)
    return {**statement.head(), "Status": statement.status}


def _wait(statement, request):
    seconds = request.get("WaitTimeSeconds") or 0
    if not 0 <= seconds <= LONGEST_WAIT:
        raise invalid("WaitTimeSeconds must be between 0 and 30.")
    with _changed:
        _changed.wait_for(lambda: statement.status in DONE, timeout=seconds)


# --- running it -----------------------------------------------------------------------


def _run(statement, warehouse, user, password):
    time.sleep(0.02)
    statement.advance("STARTED")
    if warehouse.server is None:
        # Without servers, everything is fine and nothing is there.
        statement.answers = [([], [], 0) for _ in statement.sqls]
        statement.parts = ["FINISHED"] * len(statement.sqls)
        statement.advance("FINISHED")
        return
    try:
        session = pg8000.native.Connection(
            user,
            host="127.0.0.1",
            port=warehouse.server.port,
            database=statement.request["Database"],
            password=password,
            application_name="Redshift Data API",
        )
    except (pg8000.exceptions.Error, OSError) as error:
        statement.advance("FAILED", f"FATAL: {_words(error)}")
        return
    try:
        # Redshift is a PostgreSQL of an age in which a backslash escaped in every string.
        session.execute_simple(
            "SET standard_conforming_strings = off; SET escape_string_warning = off;"
            "SET backslash_quote = on"
        )
        _transact(statement, session)
    finally:
        session.close()


def _transact(statement, session):
    if statement.batch:
        session.execute_simple("BEGIN")
    for index, sql in enumerate(statement.sqls):
        statement.parts[index] = "STARTED"
        try:
            answer = session.execute_unnamed(in_postgres(sql))
        except (pg8000.exceptions.Error, ValueError) as error:
            _give_up(statement, session, index, error)
            return
        statement.answers[index] = (answer.columns or [], answer.rows or [], answer.row_count)
        statement.parts[index] = "FINISHED"
        if statement.batch and commits(sql):
            session.execute_simple("COMMIT; BEGIN")
    if statement.batch:
        try:
            session.execute_simple("COMMIT")
        except pg8000.exceptions.Error as error:
            _give_up(statement, session, len(statement.sqls) - 1, error)
            return
    statement.advance("FINISHED")


def _give_up(statement, session, index, error):
    statement.parts[index] = "FAILED"
    for later in range(index + 1, len(statement.parts)):
        statement.parts[later] = "ABORTED"
    words = statement.refusal = f"ERROR: {_words(error)}"
    if statement.batch:
        session.execute_simple("ROLLBACK")
        words = f"Query #{index + 1} failed with {words}"
    statement.advance("FAILED", words)


def _words(error):
    told = error.args[0] if error.args else str(error)
    return told.get("M", str(told)) if isinstance(told, dict) else str(told)


# --- asking about it ------------------------------------------------------------------


def _statement(region, asked):
    with _changed:
        statement = _statements.get((asked or "").split(":")[0])
    if statement is None or statement.region != region:
        raise Refusal("ResourceNotFoundException", "Query does not exist.")
    return statement


def describe_statement(region, request):
    """How far it is."""
    statement = _statement(region, request.get("Id"))
    _wait(statement, request)
    told = {**statement.head(), "Status": statement.status, "UpdatedAt": statement.updated}
    told["Duration"] = int((statement.updated - statement.created) * 1e9)
    if statement.error:
        told["Error"] = statement.error
    if statement.batch:
        told["SubStatements"] = [_part(statement, index) for index in range(len(statement.sqls))]
        told["HasResultSet"] = any(part["HasResultSet"] for part in told["SubStatements"])
    else:
        part = _part(statement, 0)
        for name in ("HasResultSet", "ResultRows", "QueryString"):
            told[name] = part[name]
    return told


def _part(statement, index):
    columns, rows, count = statement.answers[index] or ([], [], -1)
    told = {
        "Id": f"{statement.id}:{index + 1}",
        "Status": statement.parts[index],
        "QueryString": statement.sqls[index],
        "HasResultSet": bool(columns),
        "ResultRows": len(rows) if columns else count,
        "CreatedAt": statement.created,
        "UpdatedAt": statement.updated,
    }
    if statement.parts[index] == "FAILED":
        told["Error"] = statement.refusal
    return told


def get_statement_result(region, request):
    """The rows of a statement that has some."""
    asked = request.get("Id") or ""
    statement = _statement(region, asked)
    _wait(statement, request)
    index = int(asked.split(":")[1]) - 1 if ":" in asked else 0
    answer = statement.answers[index] if index < len(statement.answers) else None
    if statement.status != "FINISHED" or answer is None or not (answer[0] or not statement.batch):
        raise Refusal("ResourceNotFoundException", "Query does not have result.")
    columns, rows, _ = answer
    return {
        "ColumnMetadata": [{"name": column["name"]} for column in columns],
        "Records": [[_field(value) for value in row] for row in rows],
        "TotalNumRows": len(rows),
    }


def _field(value):
    if value is None:
        return {"isNull": True}
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        return {"longValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}


service(
    "redshift-data",
    {
        "ExecuteStatement": execute_statement,
        "BatchExecuteStatement": batch_execute_statement,
        "DescribeStatement": describe_statement,
        "GetStatementResult": get_statement_result,
    },
)
