"""Beda's `fhirpy` writes. Usage: write_fhirpy.py FHIR_BASE KEY"""

import sys
import uuid

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

from checks import check, run

SYSTEM = "https://tests.example/fhirpy"


def patient(fhir, value):
    return fhir.resource("Patient", identifier=[{"system": SYSTEM, "value": value}], name=[{"family": "Doe"}])


@check
def creates_updates_and_deletes(fhir):
    value = str(uuid.uuid4())
    one = patient(fhir, value)
    one.save()
    assert one.id and one["meta"]["versionId"] == "1"
    one["birthDate"] = "1980-02-29"
    one.save()
    assert one["meta"]["versionId"] == "2"
    first = fhir.execute(f"Patient/{one.id}/_history/1", method="get")
    assert "birthDate" not in first
    assert fhir.resources("Patient").search(identifier=f"{SYSTEM}|{value}").get().id == one.id
    one.delete()
    try:
        fhir.reference("Patient", one.id).to_resource()
    except (ResourceNotFound, OperationOutcome) as error:
        assert "deleted" in str(error), error
    else:
        raise AssertionError("read what was deleted")


@check
def creates_once_under_a_condition(fhir):
    value = str(uuid.uuid4())
    criteria = {"identifier": f"{SYSTEM}|{value}"}
    first, created = fhir.resources("Patient").search(**criteria).get_or_create(patient(fhir, value))
    again, created_again = fhir.resources("Patient").search(**criteria).get_or_create(patient(fhir, value))
    assert created and not created_again and first.id == again.id
    assert fhir.resources("Patient").search(**criteria).count() == 1


@check
def patches(fhir):
    one = patient(fhir, str(uuid.uuid4()))
    one.save()
    parts = [("type", "valueCode", "add"), ("path", "valueString", "Patient"), ("name", "valueString", "gender")]
    part = [{"name": name, kind: value} for name, kind, value in [*parts, ("value", "valueCode", "other")]]
    patch = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]}
    fhir.execute(f"Patient/{one.id}", method="patch", data=patch)
    read = fhir.reference("Patient", one.id).to_resource()
    assert read["gender"] == "other" and read["name"] == [{"family": "Doe"}]


@check
def sends_a_transaction(fhir):
    value, urn = str(uuid.uuid4()), f"urn:uuid:{uuid.uuid4()}"
    entries = [
        {
            "resource": {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"reference": urn}},
            "request": {"method": "POST", "url": "Observation"},
        },
        {
            "fullUrl": urn,
            "resource": patient(fhir, value).serialize(),
            "request": {"method": "POST", "url": "Patient", "ifNoneExist": f"identifier={SYSTEM}|{value}"},
        },
    ]
    bundle = fhir.resource("Bundle", type="transaction", entry=entries)
    answer = fhir.execute("", method="post", data=bundle.serialize())
    assert [entry["response"]["status"][:3] for entry in answer["entry"]] == ["201", "201"], answer
    found = fhir.resources("Patient").search(identifier=f"{SYSTEM}|{value}").get()
    assert fhir.resources("Observation").search(subject=f"Patient/{found.id}").count() == 1


@check
def is_told_what_is_wrong(fhir):
    try:
        fhir.resource("Patient", colour="red").save()
    except OperationOutcome as error:
        assert "colour" in str(error), error
    else:
        raise AssertionError("wrote an element nobody knows")


def main(base, key):
    run("fhirpy", SyncFHIRClient(base, authorization=f"Bearer {key}"))


if __name__ == "__main__":
    main(*sys.argv[1:])
