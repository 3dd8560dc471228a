"""`openapi-spec-validator` judges the control plane's document, and answers are held against it.
Usage: read_openapi.py URL KEY"""

import json
import sys
import urllib.request

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from checks import check, run

PROGRAM = "/api/v1/programs/openapi"
PROFILE = PROGRAM + "/profiles/all/versions/1"
SPEC = {
    "signals": [
        {"signal": "heart-rate", "window_s": 60, "sources": [{"device": "d1"}, {"model": "gatt-heart-rate"}]},
        {"signal": "blood-pressure", "thresholds": [{"component": "systolic", "high": 180.0}]},
    ],
    "device_models": ["gatt-heart-rate"],
    "end_conditions": {"max_duration_s": 86400, "inactivity_s": 3600},
    "exports": [{"name": "hourly", "trigger": "on_schedule", "interval_s": 3600, "target": "ehr"}],
}


def send(server, method, path, body=None):
    url, key = server
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url + path, data, headers, method=method)) as answer:
        return answer.status, json.load(answer)


def document(server):
    with urllib.request.urlopen(server[0] + "/api/v1/openapi.json") as answer:
        return json.load(answer)


def schema(document, path, method, status):
    """The schema of an answer, on its own."""
    content = document["paths"][path][method]["responses"][str(status)]["content"]
    return {"components": document["components"], **content["application/json"]["schema"]}


@check
def the_document_is_valid(server):
    assert document(server)["openapi"].startswith("3.1")
    validate(document(server))


@check
def requests_and_answers_are_as_documented(server):
    whole = document(server)
    paths = "/api/v1/programs/{program}", "/api/v1/programs/{program}/profiles/{profile}/versions/{version}"
    for path, real, body in [(paths[0], PROGRAM, {"title": "OpenAPI"}), (paths[1], PROFILE, {"spec": SPEC})]:
        request = whole["paths"][path]["put"]["requestBody"]["content"]["application/json"]["schema"]
        Draft202012Validator({"components": whole["components"], **request}).validate(body)
        status, answer = send(server, "PUT", real, body)
        assert status in (200, 201), status
        Draft202012Validator(schema(whole, path, "put", status)).validate(answer)
        _, again = send(server, "GET", real)
        assert again == answer, again
    for path in ["/api/v1/programs", "/api/v1/enrolments", "/api/v1/episodes", "/api/v1/triggers"]:
        _, answer = send(server, "GET", path)
        Draft202012Validator(schema(whole, path, "get", 200)).validate(answer)


@check
def an_unknown_field_is_not_as_documented(server):
    whole = document(server)
    request = whole["paths"]["/api/v1/programs/{program}"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({"components": whole["components"], **request})
    assert not validator.is_valid({"title": "a", "colour": "red"})


run("openapi", (sys.argv[1], sys.argv[2]))
