"""Beda's `fhirpy` reads and searches. Usage: read_fhirpy.py FHIR_BASE KEY PATIENT"""

import base64
import sys

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import AuthorizationError, OperationOutcome, ResourceNotFound

from checks import check, run

HEART_RATE = "http://loinc.org|8867-4"


def heart_rates(fhir, patient):
    return fhir.resources("Observation").search(patient=patient, code=HEART_RATE).sort("-date")


@check
def reads_the_capability_statement(fhir, patient):
    statement = fhir.execute("metadata", method="get")
    assert statement["fhirVersion"] == "4.0.1"
    assert "Observation" in {resource["type"] for resource in statement["rest"][0]["resource"]}


@check
def finds_heart_rates_newest_first(fhir, patient):
    found = heart_rates(fhir, patient).search(date__ge="2026-01-18").fetch_all()
    assert len(found) == 7, len(found)
    times = [observation["effectiveDateTime"] for observation in found]
    assert times == sorted(times, reverse=True), times
    assert all(55 < observation.get_by_path("valueQuantity.value") < 90 for observation in found)


@check
def finds_nothing_before_the_recording(fhir, patient):
    assert heart_rates(fhir, patient).search(date__lt="2026-01-18").fetch_all() == []


@check
def reads_an_observation_by_id(fhir, patient):
    found = heart_rates(fhir, patient).first()
    read = fhir.reference("Observation", found.id).to_resource()
    assert read.serialize() == found.serialize()


@check
def follows_the_next_link_to_every_match(fhir, patient):
    search = fhir.resources("Observation").search(patient=patient)
    whole = [observation.id for observation in search.limit(200).fetch_all()]
    paged = [observation.id for observation in search.limit(9).fetch_all()]
    assert len(whole) > 30 and sorted(paged) == sorted(whole) and len(set(paged)) == len(paged)


@check
def counts(fhir, patient):
    assert heart_rates(fhir, patient).count() == 7


@check
def includes_devices_and_provenance(fhir, patient):
    bundle = heart_rates(fhir, patient).include("Observation", "device").revinclude("Provenance", "target").fetch_raw()
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert kinds.count("Observation") == 7 and kinds.count("Provenance") == 7 and "Device" in kinds, kinds


@check
def asks_for_the_provenance_of_an_observation(fhir, patient):
    found = heart_rates(fhir, patient).first()
    provenance = fhir.resources("Provenance").search(target=found.to_reference().reference).get()
    roles = {entity["role"] for entity in provenance["entity"]}
    assert roles == {"source", "derivation"}, roles


@check
def reads_the_strip(fhir, patient):
    document = fhir.resources("DocumentReference").search(patient=patient).first()
    url = document.get_by_path("content.0.attachment.url")
    binary = fhir.reference("Binary", url.rsplit("/", 1)[-1]).to_resource()
    assert base64.b64decode(binary["data"]).startswith(b"\x89PNG")


@check
def is_told_what_is_not_there(fhir, patient):
    try:
        fhir.reference("Observation", "nobody").to_resource()
    except ResourceNotFound as error:
        assert "OperationOutcome" in str(error), error
    else:
        raise AssertionError("read an Observation that is not there")


@check
def is_told_what_is_wrong(fhir, patient):
    try:
        fhir.resources("Observation").search(date="yesterday").fetch()
    except OperationOutcome as error:
        assert "date" in str(error), error
    else:
        raise AssertionError("searched for a date that is none")


@check
def is_not_let_in_without_a_key(fhir, patient):
    try:
        SyncFHIRClient(fhir.url).resources("Observation").fetch()
    except AuthorizationError as error:
        assert "OperationOutcome" in str(error), error
    else:
        raise AssertionError("searched without a key")


def main(base, key, patient):
    run("fhirpy", SyncFHIRClient(base, authorization=f"Bearer {key}"), patient)


if __name__ == "__main__":
    main(*sys.argv[1:])
