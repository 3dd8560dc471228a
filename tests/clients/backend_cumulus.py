"""The FHIR client of SMART's own `smart-fetch` authenticates as a backend service, with RS384 and with ES384.

Usage: backend_cumulus.py FHIR_BASE CLIENTS, a file with `{"RS384": {"client": id, "jwks": private keys}, …}`
"""

import asyncio
import json
import sys

import httpx
from cumulus_fhir_support.auth import AuthFailed
from cumulus_fhir_support.client import FhirClient

from checks import check, run


def ask(base, given, resources, path, **other):
    async def go():
        arguments = {"smart_client_id": given["client"], "smart_jwks": given["jwks"]} | other
        async with FhirClient(base, resources, **arguments) as client:
            return (await client.request("GET", path)).json()

    return asyncio.run(go())


def authenticates(base, given):
    found = ask(base, given, ["Observation", "Patient"], "Observation?patient=p1&code=http://loinc.org|8867-4")
    assert found["resourceType"] == "Bundle" and len(found["entry"]) == 7, found


@check
def authenticates_with_rs384(base, clients):
    authenticates(base, clients["RS384"])


@check
def authenticates_with_es384(base, clients):
    authenticates(base, clients["ES384"])


@check
def is_refused_with_the_key_of_another(base, clients):
    mixed = {"client": clients["RS384"]["client"], "jwks": clients["ES384"]["jwks"]}
    try:
        ask(base, mixed, ["Observation"], "Observation")
    except AuthFailed:
        return
    raise AssertionError("it was let in")


@check
def is_refused_what_it_is_not_registered_for(base, clients):
    try:
        ask(base, clients["ES384"], ["Device"], "Device")
    except AuthFailed:
        return
    raise AssertionError("it was let in")


@check
def finds_the_configuration_and_the_keys(base, clients):
    configuration = httpx.get(f"{base}/.well-known/smart-configuration").json()
    assert configuration["token_endpoint"].endswith("/oauth2/token"), configuration
    assert {"RS384", "ES384"} <= set(configuration["token_endpoint_auth_signing_alg_values_supported"])
    keys = httpx.get(configuration["jwks_uri"]).json()["keys"]
    assert keys and all("d" not in key for key in keys), keys


if __name__ == "__main__":
    with open(sys.argv[2]) as file:
        run("smart-fetch", sys.argv[1], json.load(file))
