"""Beda's `fhirpy` goes through the scenario. Usage: scenario_fhirpy.py FHIR_BASE KEY"""

import json
import sys

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound

from scenario import CODE, SYSTEM, VALUE, resource, run, transaction

base, key = sys.argv[1:]
fhir = SyncFHIRClient(base, authorization=f"Bearer {key}")
fhir_of_version_1 = SyncFHIRClient(base, authorization=f"Bearer {key}", extra_headers={"If-Match": 'W/"1"'})
patient = {}


def refused(call, error, code, expression=None):
    try:
        call()
    except error as refusal:
        outcome = json.loads(str(refusal))
        assert outcome["resourceType"] == "OperationOutcome", outcome
        issue = outcome["issue"][0]
        assert issue["code"] == code and (expression is None or issue["expression"] == expression), issue
    else:
        raise AssertionError("was not refused")


def reads_the_capability_statement():
    statement = fhir.execute("metadata", method="get")
    assert statement["fhirVersion"] == "4.0.1"
    assert "Observation" in {resource["type"] for resource in statement["rest"][0]["resource"]}


def creates():
    search = fhir.resources("Patient").search(identifier=f"{SYSTEM}|{VALUE}")
    first, created = search.get_or_create(fhir.resource(**renamed(resource("patient"))))
    again, created_again = search.get_or_create(fhir.resource(**renamed(resource("patient"))))
    assert (created, created_again, first.id) == (True, False, again.id)
    patient.update(first.serialize())


def renamed(body):
    return {"resource_type": body.pop("resourceType"), **body}


def reads():
    assert fhir.reference("Patient", patient["id"]).to_resource().serialize() == patient
    assert fhir.execute(f"Patient/{patient['id']}/_history/1", method="get") == patient


def updates():
    updated = fhir_of_version_1.execute(f"Patient/{patient['id']}", method="put", data=patient | {"birthDate": "1980-02-29"})
    assert (updated["meta"]["versionId"], updated["birthDate"]) == ("2", "1980-02-29")


def is_refused():
    # Whatever is 412 is this to the client.
    stale = patient | {"birthDate": "1981-01-01"}
    send = lambda: fhir_of_version_1.execute(f"Patient/{patient['id']}", method="put", data=stale)
    refused(send, MultipleResourcesFound, "conflict")


def patches():
    parts = [("type", "valueCode", "add"), ("path", "valueString", "Patient"), ("name", "valueString", "gender")]
    part = [{"name": name, kind: value} for name, kind, value in [*parts, ("value", "valueCode", "other")]]
    patch = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]}
    patched = fhir.execute(f"Patient/{patient['id']}", method="patch", data=patch)
    assert (patched["gender"], patched["birthDate"], patched["meta"]["versionId"]) == ("other", "1980-02-29", "3")


def sends_a_transaction():
    answer = fhir.execute("", method="post", data=transaction())
    assert [entry["response"]["status"][:3] for entry in answer["entry"]] == ["201"] * 5 + ["200"], answer


def searches():
    search = fhir.resources("Observation").search(subject=f"Patient/{patient['id']}", code=CODE)
    search = search.sort("-date").limit(2).include("Observation", "subject")
    times = [observation["effectiveDateTime"][14:16] for observation in search.fetch_all()]
    assert times == ["05", "04", "03", "02", "01"], times
    page = search.fetch_raw()
    assert [entry["resource"]["id"] for entry in page["entry"] if entry["search"]["mode"] == "include"] == [patient["id"]]


def asks_for_the_last():
    asked = {"patient": f"Patient/{patient['id']}", "code": CODE, "max": 2}
    answer = fhir.execute("Observation/$lastn", method="get", params=asked)
    assert [entry["resource"]["effectiveDateTime"][14:16] for entry in answer["entry"]] == ["05", "04"]


def reads_its_history():
    history = fhir.execute(f"Patient/{patient['id']}/_history", method="get")
    assert [entry["resource"]["meta"]["versionId"] for entry in history["entry"]] == ["3", "2", "1"]


def deletes():
    fhir.reference("Patient", patient["id"]).delete()
    refused(lambda: fhir.reference("Patient", patient["id"]).to_resource(), ResourceNotFound, "deleted")


def misses():
    refused(lambda: fhir.reference("Patient", "nobody").to_resource(), ResourceNotFound, "not-found")


def errs():
    refused(lambda: fhir.resources("Observation").search(date="yesterday").fetch(), OperationOutcome, "value", ["date"])


run(
    "fhirpy",
    {
        "reads the capability statement": reads_the_capability_statement,
        "creates under a condition, once": creates,
        "reads it and its first version": reads,
        "updates it with If-Match": updates,
        "is refused with an If-Match that is stale": is_refused,
        "patches it": patches,
        "sends a transaction": sends_a_transaction,
        "searches page by page with what is referred to": searches,
        "asks for the last of a code": asks_for_the_last,
        "reads its history": reads_its_history,
        "deletes it": deletes,
        "is told what is not there": misses,
        "is told which parameter is wrong": errs,
    },
)
