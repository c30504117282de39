"""A test double of AWX's API: keeps what awx.awx's modules send, and refuses what AWX is known to refuse.

There is no AWX here. So the modules are the real ones, with their own argument specifications and their own looking up of names, and only what they
talk to is a double. It knows objects, their lists and associations, and surveys; nothing in it runs jobs.
"""

from __future__ import annotations

import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

TOKEN = "a-token-of-the-test"
# AWX's own names of the kinds that a workflow's node or a schedule may run.
_UNIFIED = {"job_templates": "job_template", "workflow_job_templates": "workflow_job_template", "projects": "project", "inventory_sources": "inventory_source"}
_ASSOCIATIONS = {
    "job_templates": {"credentials"},
    "workflow_job_template_nodes": {"success_nodes", "failure_nodes"},
}
_SURVEY = {"text": str, "textarea": str, "password": str, "multiplechoice": str, "integer": int, "float": float}
_GIVEN = {"organizations": [{"name": "Default"}], "credential_types": [{"name": "Amazon Web Services"}]}


class Refused(Exception):
    """What AWX answers with 400."""


def survey_problem(spec: dict) -> str:
    """What AWX's API says of a survey that it does not take; empty for one that it takes."""
    if set(spec) != {"name", "description", "spec"} or not spec["spec"]:
        return "name, description and a spec that is not empty are needed"
    seen = set()
    for question in spec["spec"]:
        missing = {"type", "question_name", "variable", "required"} - set(question)
        if missing:
            return f"{sorted(missing)} missing from survey question"
        kind, default = question["type"], question.get("default", "")
        if kind not in _SURVEY:
            return f"'{kind}' is not one of the allowed question types"
        if question["variable"] in seen:
            return f"variable '{question['variable']}' is there twice"
        seen.add(question["variable"])
        if default != "" and type(default) is not _SURVEY[kind]:
            return f"default value {default!r} of {question['variable']} expected to be {_SURVEY[kind].__name__}"
        if any(question.get(limit) is not None and type(question[limit]) is not int for limit in ("min", "max")):
            return f"the limits of {question['variable']} expected to be integer"
        if kind == "multiplechoice" and not question.get("choices"):
            return f"{question['variable']} must specify choices"
        if kind == "multiplechoice" and default != "" and default not in question["choices"]:
            return f"the default choice of {question['variable']} must be one of its choices"
    return ""


class AwxDouble:
    """`with AwxDouble(playbooks) as awx`: environment() for the modules, kept() what they made, writes the requests that changed something."""

    def __init__(self, playbooks: set[str]):
        self.playbooks, self.writes = playbooks, []
        self._objects: dict[str, list[dict]] = {}
        self._associated: dict[str, list[int]] = {}
        self._surveys: dict[str, dict] = {}
        self._number = 0
        for endpoint, given in _GIVEN.items():
            for fields in given:
                self._add(endpoint, fields)

    def __enter__(self) -> AwxDouble:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"awx": self}))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def environment(self) -> dict[str, str]:
        # For every request the modules would read the system's certificates, which plain HTTP never needs and takes most of the time.
        return {"CONTROLLER_HOST": f"http://127.0.0.1:{self._server.server_port}", "CONTROLLER_OAUTH_TOKEN": TOKEN, "SSL_CERT_FILE": os.devnull}

    # --- To look at -----------------------------------------------------------------------------------------------------
    def kept(self, endpoint: str) -> dict[str, dict]:
        """{name: object}; of nodes by their identifiers there are several of one name: use `nodes`."""
        return {entry.get("name", entry.get("identifier")): entry for entry in self._objects.get(endpoint, [])}

    def survey(self, endpoint: str, name: str) -> list[dict]:
        return self._surveys.get(self.kept(endpoint)[name]["url"], {}).get("spec", [])

    def associated(self, entry: dict, kind: str) -> list[dict]:
        endpoint = "workflow_job_template_nodes" if kind.endswith("_nodes") else kind
        return [self._by_id(endpoint, number) for number in self._associated.get(f"{entry['url']}{kind}/", [])]

    def nodes(self, workflow: str) -> dict[str, dict]:
        number = self.kept("workflow_job_templates")[workflow]["id"]
        return {node["identifier"]: node for node in self._objects["workflow_job_template_nodes"] if node["workflow_job_template"] == number}

    def named(self, number: int) -> str:
        """The name of whatever has this number."""
        return next(entry["name"] for entries in self._objects.values() for entry in entries if entry["id"] == number)

    # --- What requests ask for --------------------------------------------------------------------------------------------
    def answer(self, method: str, path: str, query: dict, data: dict) -> tuple[int, dict]:
        parts = path.removeprefix("/api/v2/").strip("/").split("/")
        if method != "GET":
            self.writes.append(f"{method} {path}")
        if parts[-1] == "survey_spec":
            return self._survey(method, f"/api/v2/{parts[0]}/{parts[1]}/", data)
        if parts[-1] == "create_approval_template":
            return 201, self._approval(int(parts[1]), data)
        if len(parts) == 3:
            return self._association(method, path, parts[2], data)
        if len(parts) == 2:
            entry = self._by_id(parts[0], int(parts[1]))
            if method == "PATCH":
                self._judge(parts[0], {**entry, **data})
                entry.update({key: value for key, value in data.items() if key in entry})
            return 200, entry
        if method == "POST":
            self._judge(parts[0], data)
            return 201, self._add(parts[0], data)
        return 200, self._list(self._chosen(parts[0], query))

    def _judge(self, endpoint: str, fields: dict) -> None:
        if endpoint == "job_templates" and fields["playbook"] not in self.playbooks:
            raise Refused(f"Playbook {fields['playbook']} not found for project.")
        if endpoint == "schedules" and not re.match(r"DTSTART(;TZID=[\w/]+)?:\d{8}T\d{6}Z? RRULE:FREQ=\w+;INTERVAL=1", fields["rrule"]):
            raise Refused(f"{fields['rrule']} is no rule")
        if endpoint == "workflow_job_template_nodes" and fields.get("extra_data"):
            template = self._by_id("job_templates", fields["unified_job_template"])
            questions = {question["variable"]: question for question in self.survey("job_templates", template["name"])}
            for variable, value in fields["extra_data"].items():
                if variable not in questions or value not in questions[variable].get("choices", [value]):
                    raise Refused(f"{variable}={value!r} is no answer to the survey of {template['name']}")

    def _add(self, endpoint: str, fields: dict) -> dict:
        self._number += 1
        url = f"/api/v2/{endpoint}/{self._number}/"
        entry = {"id": self._number, "url": url, "type": _UNIFIED.get(endpoint, endpoint[:-1]), "summary_fields": {}, "scm_revision": "1", **fields}
        entry["related"] = {"survey_spec": f"{url}survey_spec/"}
        self._objects.setdefault(endpoint, []).append(entry)
        return entry

    def _by_id(self, endpoint: str, number: int) -> dict:
        return next(entry for entry in self._objects.get(endpoint, []) if entry["id"] == number)

    def _chosen(self, endpoint: str, query: dict) -> list[dict]:
        of = list(_UNIFIED) if endpoint == "unified_job_templates" else [endpoint]
        return [
            entry
            for name in of
            for entry in self._objects.get(name, [])
            if all(str(entry.get(key)) == value for key, value in query.items() if not key.startswith("or__"))
        ]

    @staticmethod
    def _list(entries: list[dict]) -> dict:
        return {"count": len(entries), "results": entries, "next": None}

    def _survey(self, method: str, url: str, data: dict) -> tuple[int, dict]:
        if method == "GET":
            return 200, self._surveys.get(url, {})
        if method == "DELETE":
            self._surveys.pop(url, None)
        else:
            problem = survey_problem(data)
            if problem:
                return 400, {"error": problem}
            self._surveys[url] = data
        return 200, {}

    def _approval(self, node_number: int, data: dict) -> dict:
        node = self._by_id("workflow_job_template_nodes", node_number)
        approval = self._add("workflow_approval_templates", {key: data[key] for key in ("name", "description", "timeout") if key in data})
        node["unified_job_template"], node["related"]["unified_job_template"] = approval["id"], approval["url"]
        return approval

    def _association(self, method: str, path: str, kind: str, data: dict) -> tuple[int, dict]:
        if kind not in _ASSOCIATIONS.get(path.split("/")[3], ()):
            raise StopIteration
        members = self._associated.setdefault(path, [])
        endpoint = "workflow_job_template_nodes" if kind.endswith("_nodes") else kind
        if method == "GET":
            return 200, self._list([self._by_id(endpoint, number) for number in members])
        self._by_id(endpoint, data["id"])
        if data.get("disassociate"):
            members.remove(data["id"])
        else:
            members.append(data["id"])
        return 204, {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body in one piece: two would wait for each other.
    wbufsize = -1
    awx: AwxDouble

    def _handle(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(401, {})
        try:
            status, answer = self.awx.answer(self.command, parts.path, dict(parse_qsl(parts.query)), json.loads(body) if body else {})
        except StopIteration:
            status, answer = 404, {"detail": "Not found."}
        except Refused as problem:
            status, answer = 400, {"__all__": [str(problem)]}
        return self._send(status, answer)

    def _send(self, status: int, answer: dict) -> None:
        body = b"" if status == 204 else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = _handle

    def log_message(self, *_):
        pass
