"""SMART's `fhirclient` reads and searches. Usage: read_fhirclient.py FHIR_BASE KEY PATIENT"""

import sys

from fhirclient import client
from fhirclient.models.binary import Binary
from fhirclient.models.bundle import Bundle
from fhirclient.models.device import Device
from fhirclient.models.documentreference import DocumentReference
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.models.provenance import Provenance

from checks import check, run

HEART_RATE = "http://loinc.org|8867-4"


def heart_rates(server, patient, **more):
    return Observation.where({"patient": patient, "code": HEART_RATE, "_sort": "-date"} | more)


@check
def reads_the_capability_statement(server, patient):
    # Reading it decides anew how to sign, so a client of its own does it: nobody needs a key for it.
    anybody = client.FHIRClient(settings={"app_id": "afferent-tests", "api_base": server.base_uri})
    statement = anybody.server.capabilityStatement
    assert statement.fhirVersion == "4.0.1", statement.fhirVersion
    assert "Observation" in {resource.type for resource in statement.rest[0].resource}


@check
def finds_heart_rates_newest_first(server, patient):
    found = list(heart_rates(server, patient, date="ge2026-01-18").perform_resources_iter(server))
    assert len(found) == 7, len(found)
    times = [observation.effectiveDateTime.date for observation in found]
    assert times == sorted(times, reverse=True), times
    assert all(55 < observation.valueQuantity.value < 90 for observation in found)
    assert {observation.valueQuantity.code for observation in found} == {"/min"}


@check
def finds_nothing_before_the_recording(server, patient):
    assert not list(heart_rates(server, patient, date="lt2026-01-18").perform_resources_iter(server))


@check
def reads_an_observation_by_id(server, patient):
    found = next(heart_rates(server, patient).perform_resources_iter(server))
    read = Observation.read(found.id, server)
    assert read.as_json() == found.as_json()
    assert read.subject.reference == f"Patient/{patient}"


@check
def follows_the_next_link_to_every_match(server, patient):
    whole = [one.id for one in Observation.where({"patient": patient, "_count": "200"}).perform_resources_iter(server)]
    pages = list(Observation.where({"patient": patient, "_count": "9"}).perform_iter(server))
    paged = [entry.resource.id for page in pages for entry in page.entry or []]
    assert len(pages) > 2 and len(whole) > 30, (len(pages), len(whole))
    assert sorted(paged) == sorted(whole) and len(set(paged)) == len(paged)


@check
def includes_devices_and_provenance(server, patient):
    search = heart_rates(server, patient).include("device").include("target", Provenance, reverse=True)
    bundle = Bundle.read_from(search.construct(), server)
    kinds = [entry.resource.resource_type for entry in bundle.entry]
    assert kinds.count("Observation") == 7 and kinds.count("Provenance") == 7, kinds
    assert "Device" in kinds, kinds


@check
def asks_for_the_provenance_of_an_observation(server, patient):
    found = next(heart_rates(server, patient).perform_resources_iter(server))
    target = f"Observation/{found.id}"
    provenances = list(Provenance.where({"target": target}).perform_resources_iter(server))
    assert len(provenances) == 1 and target in {one.reference for one in provenances[0].target}
    assert {entity.role for entity in provenances[0].entity} == {"source", "derivation"}


@check
def reads_the_patient_and_the_device(server, patient):
    assert Patient.read(patient, server).id == patient
    found = next(heart_rates(server, patient).perform_resources_iter(server))
    device = Device.read(found.device.reference.removeprefix("Device/"), server)
    assert device.version[0].value


@check
def reads_the_strip(server, patient):
    document = next(DocumentReference.where({"patient": patient}).perform_resources_iter(server))
    attachment = document.content[0].attachment
    assert attachment.contentType == "image/png"
    assert server.request_data(attachment.url, {"Accept": "image/png"}).startswith(b"\x89PNG")
    binary = Binary.read(attachment.url.rsplit("/", 1)[-1], server)
    assert binary.contentType == "image/png" and binary.data


@check
def is_told_what_is_not_there(server, patient):
    try:
        Observation.read("nobody", server)
    except Exception as error:
        assert "404" in str(error) or "NotFound" in type(error).__name__, error
    else:
        raise AssertionError("read an Observation that is not there")


def main(base, key, patient):
    session = {"base_uri": f"{base}/", "auth_type": "oauth2", "auth": {"access_token": key}}
    smart = client.FHIRClient(state={"app_id": "afferent-tests", "server": session})
    assert smart.ready
    run("fhirclient", smart.server, patient)


if __name__ == "__main__":
    main(*sys.argv[1:])
