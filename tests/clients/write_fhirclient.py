"""SMART's `fhirclient` writes. Usage: write_fhirclient.py FHIR_BASE KEY"""

import sys
import uuid

from fhirclient import client
from fhirclient.models.bundle import Bundle
from fhirclient.models.patient import Patient

from checks import check, run

SYSTEM = "https://tests.example/fhirclient"


def patient(value):
    return Patient({"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], "name": [{"family": "Doe"}]})


@check
def creates_updates_and_deletes(server):
    value = str(uuid.uuid4())
    created = patient(value).create(server)
    one = Patient.read(created["id"], server)
    assert one.identifier[0].value == value and one.meta.versionId == "1"
    one.active = True
    updated = one.update(server)
    assert updated["meta"]["versionId"] == "2", updated
    first = Patient.read_from(f"Patient/{one.id}/_history/1", server)
    assert first.active is None
    assert len(list(Patient.where({"identifier": f"{SYSTEM}|{value}"}).perform_resources_iter(server))) == 1
    one.delete(server)
    try:
        Patient.read(one.id, server)
    except Exception as error:
        assert "410" in str(error) or "Gone" in str(error), error
    else:
        raise AssertionError("read what was deleted")


@check
def sends_a_transaction_twice(server):
    value = str(uuid.uuid4())
    request = {"method": "POST", "url": "Patient", "ifNoneExist": f"identifier={SYSTEM}|{value}"}
    bundle = Bundle({"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": patient(value).as_json(), "request": request}]})
    for status in ("201", "200"):
        answer = Bundle(server.post_json("", bundle.as_json()).json())
        assert answer.entry[0].response.status.startswith(status), answer.as_json()
    assert len(list(Patient.where({"identifier": f"{SYSTEM}|{value}"}).perform_resources_iter(server))) == 1


def main(base, key):
    session = {"base_uri": f"{base}/", "auth_type": "oauth2", "auth": {"access_token": key}}
    smart = client.FHIRClient(state={"app_id": "afferent-tests", "server": session})
    assert smart.ready
    run("fhirclient", smart.server)


if __name__ == "__main__":
    main(*sys.argv[1:])
