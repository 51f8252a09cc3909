"""DMS's replication tasks."""

import json
import threading
import time

from . import databases, dms_load, latency
from .dms_instances import checked_name
from .dms_store import LOGS_ROLE, Refused, Thing, filtered, invalid, wrong_state

LOGS_POLICY = "AmazonDMSCloudWatchLogsRole"
STANDING = ("ready", "stopped", "failed")
WAYS = ("full-load", "cdc", "full-load-and-cdc")
FINISHED = "Stop Reason FULL_LOAD_ONLY_FINISHED"
# Some of what DMS fills in.
DEFAULTS = {
    "TargetMetadata": {
        "TargetSchema": "",
        "SupportLobs": True,
        "FullLobMode": False,
        "LobChunkSize": 0,
        "LimitedSizeLobMode": True,
        "LobMaxSize": 32,
        "InlineLobMaxSize": 0,
        "LoadMaxFileSize": 0,
        "ParallelLoadThreads": 0,
        "ParallelLoadBufferSize": 0,
        "BatchApplyEnabled": False,
        "TaskRecoveryTableEnabled": False,
    },
    "FullLoadSettings": {
        "TargetTablePrepMode": "DROP_AND_CREATE",
        "CreatePkAfterFullLoad": False,
        "StopTaskCachedChangesApplied": False,
        "StopTaskCachedChangesNotApplied": False,
        "MaxFullLoadSubTasks": 8,
        "TransactionConsistencyTimeout": 600,
        "CommitRate": 10000,
    },
    "Logging": {
        "EnableLogging": False,
        "EnableLogContext": False,
        "LogComponents": [
            {"Id": "TRANSFORMATION", "Severity": "LOGGER_SEVERITY_DEFAULT"},
            {"Id": "SOURCE_UNLOAD", "Severity": "LOGGER_SEVERITY_DEFAULT"},
        ],
        "CloudWatchLogGroup": None,
        "CloudWatchLogStream": None,
    },
    "ControlTablesSettings": {
        "historyTimeslotInMinutes": 5,
        "ControlSchema": "",
        "HistoryTableEnabled": False,
    },
    "ErrorBehavior": {"DataErrorPolicy": "LOG_ERROR", "TableErrorPolicy": "SUSPEND_TABLE"},
    "StreamBufferSettings": {"StreamBufferCount": 3, "StreamBufferSizeInMB": 8},
    "ValidationSettings": {"EnableValidation": False, "ThreadCount": 5},
    "BeforeImageSettings": None,
    "LoopbackPreventionSettings": None,
}


def _merged(old, new):
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *[key for key in new if key not in old]]
        return {k: _merged(old.get(k), new[k]) if k in new else old[k] for k in keys}
    return new


def _settings(text, old):
    try:
        asked = json.loads(text or "{}")
    except ValueError:
        raise invalid("ReplicationTaskSettings is not valid JSON.") from None
    strange = [key for key in asked if key not in DEFAULTS]
    if strange:
        raise invalid(f"Task Settings JSON: unknown group {strange[0]}.")
    return _merged(old, asked)


def _check_mappings(text):
    try:
        rules = json.loads(text)["rules"]
        numbers = [rule["rule-id"] for rule in rules]
        for rule in rules:
            if rule["rule-type"] == "selection":
                locator = rule["object-locator"]
                assert rule["rule-action"] in ("include", "exclude", "explicit")
                assert locator["schema-name"] and locator["table-name"]
        assert any(rule["rule-type"] == "selection" for rule in rules)
        assert len(set(numbers)) == len(numbers)
    except (ValueError, KeyError, TypeError, AssertionError):
        raise invalid(
            "Error in mapping rules. Rules must have a type, a unique id and, to select, an action "
            "and an object-locator; at least one must select."
        ) from None


def create_replication_task(store, request):
    name = checked_name(request["ReplicationTaskIdentifier"], "ReplicationTaskIdentifier")
    store.refuse_double(store.tasks, name, "Replication task")
    source = store.by_arn(store.endpoints, request["SourceEndpointArn"], "Endpoint")
    target = store.by_arn(store.endpoints, request["TargetEndpointArn"], "Endpoint")
    instance = _instance(store, request["ReplicationInstanceArn"])
    if (source["EndpointType"], target["EndpointType"]) != ("SOURCE", "TARGET"):
        raise Refused(
            "InvalidParameterCombinationException", "A task goes from a source to a target."
        )
    if request["MigrationType"] not in WAYS:
        raise invalid(f"Migration type {request['MigrationType']} is not valid.")
    _check_mappings(request["TableMappings"])
    settings = _settings(request.get("ReplicationTaskSettings"), DEFAULTS)
    if settings["Logging"]["EnableLogging"]:
        store.require_role(LOGS_ROLE, LOGS_POLICY)
    shown = {
        "ReplicationTaskIdentifier": name,
        "ReplicationTaskArn": store.arn("task", request.get("ResourceIdentifier")),
        "SourceEndpointArn": source.arn,
        "TargetEndpointArn": target.arn,
        "ReplicationInstanceArn": instance.arn,
        "MigrationType": request["MigrationType"],
        "TableMappings": request["TableMappings"],
        "ReplicationTaskSettings": json.dumps(settings),
        "ReplicationTaskCreationDate": time.time(),
        "CdcStartPosition": request.get("CdcStartPosition"),
        "CdcStopPosition": request.get("CdcStopPosition"),
    }
    task = Thing("ReplicationTaskArn", "Status", shown)
    task.begin("creating", lambda: task.become("ready"))
    store.add(store.tasks, name, task, request.get("Tags"))
    return {"ReplicationTask": task}


def _instance(store, arn):
    instance = store.by_arn(store.instances, arn, "Replication instance")
    if instance.status != "available":
        raise wrong_state(f"Replication instance {arn} is {instance.status}.")
    return instance


def _task(store, request, *states):
    task = store.by_arn(store.tasks, request["ReplicationTaskArn"], "Replication task")
    if states and task.status not in states:
        raise wrong_state(f"Replication task {task.arn} is currently {task.status}.")
    return task


def modify_replication_task(store, request):
    task = _task(store, request, *STANDING)
    changes = {
        name: request[name]
        for name in ("MigrationType", "TableMappings", "CdcStartPosition", "CdcStopPosition")
        if request.get(name) is not None
    }
    if "TableMappings" in changes:
        _check_mappings(changes["TableMappings"])
    if changes.get("MigrationType", "cdc") not in WAYS:
        raise invalid(f"Migration type {changes['MigrationType']} is not valid.")
    if request.get("ReplicationTaskSettings"):
        old = json.loads(task["ReplicationTaskSettings"])
        settings = _settings(request["ReplicationTaskSettings"], old)
        changes["ReplicationTaskSettings"] = json.dumps(settings)
    return _passing(task, "modifying", changes)


def _passing(task, status, changes):
    before = task.status

    def end():
        task.update(changes)
        task.become(before)

    task.begin(status, end)
    return {"ReplicationTask": task}


def move_replication_task(store, request):
    task = _task(store, request, *STANDING)
    instance = _instance(store, request["TargetReplicationInstanceArn"])
    if instance.arn == task["ReplicationInstanceArn"]:
        raise invalid("The task is on that instance.")
    return _passing(task, "moving", {"ReplicationInstanceArn": instance.arn})


def start_replication_task(store, request):
    task = _task(store, request, *STANDING)
    how, way = request["StartReplicationTaskType"], task["MigrationType"]
    if how == "resume-processing" and way == "full-load":
        raise Refused(
            "InvalidParameterCombinationException",
            "Start Type: RESUME_PROCESSING, valid only for tasks with change data capture.",
        )
    if how != "start-replication" and task.status == "ready":
        raise Refused(
            "InvalidParameterCombinationException",
            f"Start Type: {how} is not valid for a task that has never run.",
        )
    _instance(store, task["ReplicationInstanceArn"])
    for end in ("SourceEndpointArn", "TargetEndpointArn"):
        tested = store.connections.get((task["ReplicationInstanceArn"], task[end]))
        if tested is None or tested.status != "successful":
            raise wrong_state(
                "Test connection for replication instance and endpoint must be successful for "
                "starting the replication task."
            )
    task.pop("StopReason", None)
    task.pop("LastFailureMessage", None)
    task["ReplicationTaskStats"] = {"TablesLoaded": 0, "FullLoadProgressPercent": 0}
    task["ReplicationTaskStartDate"] = time.time()

    def run():
        task.become("running")
        if way != "cdc":
            threading.Thread(target=_load, args=(store, task), daemon=True).start()

    task.begin("starting", run)
    _begin_in_time(store, task)
    return {"ReplicationTask": task}


def _begin_in_time(store, task):
    """A load begins when the task has started, whether or not somebody looks."""

    def settle():
        with store.lock:
            task.settle()

    timer = threading.Timer(max(0, task.until - time.monotonic()), settle)
    timer.daemon = True
    timer.start()


def _load(store, task):
    """A full load of what is really there; what can't be read is one table that is empty."""
    began = time.monotonic()
    try:
        loaded, errored, why = dms_load.load(store, task)
    except Exception as error:  # whatever it was, the task has failed
        databases.note(f"{task['ReplicationTaskIdentifier']} failed: {error}")
        loaded, errored, why = 0, 1, str(error)
    latency.worked("dms_replication_task", time.monotonic() - began)
    with store.lock:
        if task.status != "running":
            return
        task["ReplicationTaskStats"] = {
            "TablesLoaded": loaded,
            "TablesErrored": errored,
            "FullLoadProgressPercent": 100,
        }
        if why:
            task["LastFailureMessage"] = why
        if loaded == 0 and errored:
            task["StopReason"] = "Stop Reason FATAL_ERROR Error Level FATAL"
            task.become("failed")
        elif task["MigrationType"] == "full-load":
            task["StopReason"] = FINISHED
            task.become("stopped")


def stop_replication_task(store, request):
    task = _task(store, request, "running")

    def end():
        task["StopReason"] = "Stop Reason NORMAL"
        task.become("stopped")

    task.begin("stopping", end)
    return {"ReplicationTask": task}


def delete_replication_task(store, request):
    task = _task(store, request, *STANDING)
    name = task["ReplicationTaskIdentifier"]
    task.begin("deleting", lambda: store.drop(store.tasks, name))
    return {"ReplicationTask": task}


def describe_replication_tasks(store, request):
    fields = {
        "replication-task-id": "ReplicationTaskIdentifier",
        "replication-task-arn": "ReplicationTaskArn",
        "replication-instance-arn": "ReplicationInstanceArn",
        "endpoint-arn": "SourceEndpointArn",
        "migration-type": "MigrationType",
    }
    found = filtered(store.tasks.values(), request, fields)
    if request.get("WithoutSettings"):
        kept = [dict(task) for task in found]
        for task in kept:
            task.pop("ReplicationTaskSettings")
        found = kept
    return {"ReplicationTasks": found}
