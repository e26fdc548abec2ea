"""A stand-in for the server of Weights & Biases on this machine's loopback, for the real client to talk to.

It answers what the client asks while runs are logged, and keeps what it was sent: `server.runs["id"]`.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Run:
    """What the server knows of a run."""

    id: str
    fields: dict[str, Any] = field(default_factory=dict)
    """What the client said when it started the run: groupName, jobType, displayName, tags, sweep, ..."""
    config: dict[str, Any] = field(default_factory=dict)
    streams: dict[str, dict[int, str]] = field(default_factory=dict)
    """File -> line number -> line: history, summary, log."""
    exits: list[int] = field(default_factory=list)
    starts: int = 0

    @property
    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for _, line in sorted(self.streams.get("wandb-history.jsonl", {}).items())]

    @property
    def summary(self) -> dict[str, Any]:
        lines = self.streams.get("wandb-summary.json", {})
        return json.loads(lines[max(lines)]) if lines else {}

    @property
    def log(self) -> str:
        return "\n".join(line for _, line in sorted(self.streams.get("output.log", {}).items()))


class WandbServer:
    """Listens on a free port of 127.0.0.1, as a context manager."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.files: dict[str, bytes] = {}
        """Path of an upload -> content."""
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.committed: list[str] = []
        self.sweeps: dict[str, dict[str, Any]] = {}
        self.points: list[dict[str, Any]] = []
        """What an agent is told to run, one after the other."""
        self.requests: list[str] = []
        self.unknown: list[str] = []
        self.silent = threading.Event()
        """Once set, requests are taken and never answered."""
        self.lock = threading.Lock()
        self._over = threading.Event()
        owner = self

        class Handler(_Handler):
            server_of = owner
            over = self._over

        self._http = _Http(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> WandbServer:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._http.shutdown()
        self._http.server_close()

    # What GraphQL asks for, by the name of the operation.

    def answer(self, operation: str, values: dict[str, Any]) -> dict[str, Any]:
        method = getattr(self, f"on_{operation}", None)
        if method is None:
            self.unknown.append(operation)
            raise KeyError(operation)
        return method(values)

    def on_RunResumeStatus(self, values: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(values["name"])
        return {"model": {**PROJECT, "bucket": None if run is None else _bucket(run)}}

    def on_UpsertBucket(self, values: dict[str, Any]) -> dict[str, Any]:
        name = values["name"]
        is_new = name not in self.runs
        run = self.runs.setdefault(name, Run(id=name))
        run.starts += 1
        run.fields.update({key: value for key, value in values.items() if value is not None})
        run.config.update(json.loads(values.get("config") or "{}"))
        bucket = {**_bucket(run), "project": PROJECT, "sweepName": values.get("sweep")}
        return {"upsertBucket": {"bucket": bucket, "inserted": is_new}}

    def on_Viewer(self, values: dict[str, Any]) -> dict[str, Any]:
        viewer = {"id": "tester", "entity": "tester", "username": "tester", "email": "", "flags": "{}"}
        return {"viewer": {**viewer, "teams": {"edges": []}}}

    def on_ServerFeaturesQuery(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def on_CreateRunFiles(self, values: dict[str, Any]) -> dict[str, Any]:
        files = [
            {"name": name, "uploadUrl": f"{self.url}/upload/{values['run']}/{name}"}
            for name in values["files"]
        ]
        return {"createRunFiles": {"runID": values["run"], "uploadHeaders": [], "files": files}}

    def on_ArtifactType(self, values: dict[str, Any]) -> dict[str, Any]:
        known = self.artifacts.get(values["name"].split(":")[0])
        kind = known and {"artifactType": {"name": known["artifactTypeName"]}}
        return {"project": {"artifact": kind}}

    def on_CreateArtifact(self, values: dict[str, Any]) -> dict[str, Any]:
        given = values["input"]
        self.artifacts[given["artifactCollectionName"]] = given
        artifact = {"id": f"artifact-{given['digest']}", "state": "PENDING"}
        return {"createArtifact": {"artifact": {**artifact, "artifactSequence": {"latestArtifact": None}}}}

    def on_CreateArtifactManifest(self, values: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.url}/upload/{values['artifactID']}/{values['name']}"
        file = {"id": "manifest-file", "uploadUrl": url, "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": "manifest", "file": file}}}

    def on_UpdateArtifactManifest(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"updateArtifactManifest": {"artifactManifest": {"id": "manifest", "file": {}}}}

    def on_CreateArtifactFiles(self, values: dict[str, Any]) -> dict[str, Any]:
        nodes = [
            {
                "name": file["name"],
                "displayName": file["name"],
                "storagePath": f"{file['artifactID']}/{file['name']}",
                "uploadUrl": f"{self.url}/upload/{file['artifactID']}/{file['name']}",
                "uploadHeaders": [],
                "uploadMultipartUrls": None,
                "artifact": {"id": file["artifactID"]},
            }
            for file in values["input"]["artifactFiles"]
        ]
        return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}

    def on_CommitArtifact(self, values: dict[str, Any]) -> dict[str, Any]:
        self.committed.append(values["artifactID"])
        return {"commitArtifact": {"artifact": {"id": values["artifactID"], "digest": ""}}}

    def on_UpsertSweep(self, values: dict[str, Any]) -> dict[str, Any]:
        name = f"sweep{len(self.sweeps) + 1}"
        self.sweeps[name] = values
        sweep = {"name": name, "project": PROJECT}
        return {"upsertSweep": {"sweep": sweep, "configValidationWarnings": []}}

    def on_SweepWithRuns(self, values: dict[str, Any]) -> dict[str, Any]:
        name = values["sweep"]
        given = self.sweeps[name]["config"]
        sweep = {"id": name, "name": name, "method": "grid", "state": "RUNNING", "config": given}
        return {"project": {"sweep": {**sweep, "runs": {"edges": []}}}}

    def on_CreateAgent(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"createAgent": {"agent": {"id": "agent"}}}

    def on_Heartbeat(self, values: dict[str, Any]) -> dict[str, Any]:
        commands: list[dict[str, Any]] = []
        if not json.loads(values["runState"] or "{}"):
            commands = [self.points.pop(0) if self.points else {"type": "exit"}]
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}


PROJECT = {"id": "project", "name": "cambrian-sweeps", "entity": {"id": "entity", "name": "tester"}}


def _bucket(run: Run) -> dict[str, Any]:
    def count(name: str) -> int:
        return 1 + max(run.streams.get(name, {}), default=-1)

    tail = [json.dumps(row) for row in run.history[-1:]]
    return {
        "id": f"id-{run.id}",
        "name": run.id,
        "displayName": run.fields.get("displayName"),
        "description": "",
        "summaryMetrics": json.dumps(run.summary),
        "historyLineCount": count("wandb-history.jsonl"),
        "eventsLineCount": 0,
        "logLineCount": count("output.log"),
        "historyTail": json.dumps(tail),
        "eventsTail": "[]",
        "config": json.dumps(run.config),
        "tags": run.fields.get("tags", []),
        "notes": None,
        "wandbConfig": json.dumps({"t": 1}),
    }


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up; a test that misses an answer fails by itself."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: WandbServer
    over: threading.Event

    def log_message(self, *words: object) -> None:
        """Stay quiet."""

    def do_POST(self) -> None:
        state = self.server_of
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state.requests.append(f"{self.command} {self.path}")
        if state.silent.is_set():
            self.over.wait()
            self.close_connection = True
            return
        with state.lock:
            if self.path == "/graphql":
                self._reply(self._graphql(json.loads(body)))
            elif self.path.endswith("/file_stream"):
                self._stream(self.path.split("/")[-2], json.loads(body))
                self._reply({})
            elif self.path.startswith("/upload/"):
                state.files[self.path.removeprefix("/upload/")] = body
                self._reply({})
            else:
                state.unknown.append(self.path)
                self._reply({})

    def do_PUT(self) -> None:
        self.do_POST()

    def do_GET(self) -> None:
        self.do_POST()

    def _graphql(self, request: dict[str, Any]) -> dict[str, Any]:
        operation = request.get("operationName") or request["query"].split("(")[0].split("{")[0].split()[-1]
        self.server_of.requests[-1] += f" {operation}"
        try:
            return {"data": self.server_of.answer(operation, request.get("variables") or {})}
        except KeyError:
            return {"data": None, "errors": [{"message": f"unknown here: {operation}"}]}

    def _stream(self, name: str, request: dict[str, Any]) -> None:
        run = self.server_of.runs[name]
        for file, part in (request.get("files") or {}).items():
            lines = run.streams.setdefault(file, {})
            lines.update(enumerate(part["content"], part["offset"]))
        if request.get("complete"):
            run.exits.append(request["exitcode"])

    def _reply(self, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
