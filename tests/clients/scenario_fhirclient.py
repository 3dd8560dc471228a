"""SMART's `fhirclient` of PyPI goes through the scenario. Usage: scenario_fhirclient.py FHIR_BASE KEY

It takes no headers with a request; whoever needs one gives it to its session, and so does this."""

import contextlib
import sys

from fhirclient import client
from fhirclient.models.bundle import Bundle
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException
from requests import HTTPError

from scenario import CODE, SYSTEM, VALUE, resource, run, transaction

base, key = sys.argv[1:]
session = {"base_uri": f"{base}/", "auth_type": "oauth2", "auth": {"access_token": key}}
smart = client.FHIRClient(state={"app_id": "afferent-tests", "server": session})
assert smart.ready
server = smart.server
patient = {}


@contextlib.contextmanager
def headers(**more):
    named = {name.replace("_", "-"): value for name, value in more.items()}
    server.session.headers.update(named)
    try:
        yield
    finally:
        for name in named:
            del server.session.headers[name]


def refused(call, error, status, code, expression=None):
    try:
        call()
    except error as refusal:
        assert refusal.response.status_code == status, refusal.response.status_code
        outcome = refusal.response.json()
        assert outcome["resourceType"] == "OperationOutcome", outcome
        issue = outcome["issue"][0]
        assert issue["code"] == code and (expression is None or issue["expression"] == expression), issue
    else:
        raise AssertionError("was not refused")


def reads_the_capability_statement():
    # Reading it decides anew how to sign, so a client of its own does it: nobody needs a key for it.
    anybody = client.FHIRClient(settings={"app_id": "afferent-tests", "api_base": server.base_uri})
    statement = anybody.server.capabilityStatement
    assert statement.fhirVersion == "4.0.1", statement.fhirVersion
    assert "Observation" in {resource.type for resource in statement.rest[0].resource}


def creates():
    with headers(If_None_Exist=f"identifier={SYSTEM}|{VALUE}"):
        created = Patient(resource("patient")).create(server)
        again = Patient(resource("patient")).create(server)
    assert (again["id"], again["meta"]["versionId"]) == (created["id"], "1")
    patient.update(id=created["id"], resource=created)


def reads():
    assert Patient.read(patient["id"], server).as_json() == patient["resource"]
    assert Patient.read_from(f"Patient/{patient['id']}/_history/1", server).as_json() == patient["resource"]


def update(birth_date):
    with headers(If_Match='W/"1"'):
        return Patient(patient["resource"] | {"birthDate": birth_date}).update(server)


def updates():
    updated = update("1980-02-29")
    assert (updated["meta"]["versionId"], updated["birthDate"]) == ("2", "1980-02-29")


def is_refused():
    refused(lambda: update("1981-01-01"), HTTPError, 412, "conflict")


def sends_a_transaction():
    answer = Bundle(server.post_json("", Bundle(transaction()).as_json()).json())
    assert [entry.response.status[:3] for entry in answer.entry] == ["201"] * 5 + ["200"], answer.as_json()


def searches():
    query = {"subject": f"Patient/{patient['id']}", "code": CODE, "_sort": "-date", "_count": "2"}
    pages = list(Observation.where(query).include("subject").perform_iter(server))
    times, included = [], []
    for page in pages:
        of_mode = lambda mode: [entry.resource for entry in page.entry if entry.search.mode == mode]
        times += [observation.effectiveDateTime.isostring[14:16] for observation in of_mode("match")]
        included.append([one.id for one in of_mode("include")])
    assert times == ["05", "04", "03", "02", "01"], times
    assert included == [[patient["id"]]] * 3, included


def asks_for_the_last():
    path = f"Observation/$lastn?patient=Patient/{patient['id']}&code={CODE}&max=2"
    last = [entry.resource.effectiveDateTime.isostring[14:16] for entry in Bundle(server.request_json(path)).entry]
    assert last == ["05", "04"], last


def reads_its_history():
    history = Bundle(server.request_json(f"Patient/{patient['id']}/_history"))
    assert [entry.resource.meta.versionId for entry in history.entry] == ["2", "1"]


def deletes():
    Patient.read(patient["id"], server).delete()
    refused(lambda: Patient.read(patient["id"], server), HTTPError, 410, "deleted")


def misses():
    refused(lambda: Patient.read("nobody", server), FHIRNotFoundException, 404, "not-found")


def errs():
    search = lambda: Observation.where({"date": "yesterday"}).perform(server)
    refused(search, HTTPError, 400, "value", ["date"])


run(
    "fhirclient (PyPI)",
    {
        "reads the capability statement": reads_the_capability_statement,
        "creates under a condition, once": creates,
        "reads it and its first version": reads,
        "updates it with If-Match": updates,
        "is refused with an If-Match that is stale": is_refused,
        "sends a transaction": sends_a_transaction,
        "searches page by page with what is referred to": searches,
        "asks for the last of a code": asks_for_the_last,
        "reads its history": reads_its_history,
        "deletes it": deletes,
        "is told what is not there": misses,
        "is told which parameter is wrong": errs,
    },
    cannot={"patches it": "the client has no PATCH"},
)
