"""The scenario every client goes through; its steps and resources stand in scenario.json."""

import json
import pathlib
import sys
import traceback
import uuid

WHOLE = json.loads((pathlib.Path(__file__).parent / "scenario.json").read_text())
SYSTEM, CODE, VALUE = WHOLE["system"], WHOLE["code"], str(uuid.uuid4())


def resource(name, n=0):
    """A resource of the scenario for this run."""
    text = json.dumps(WHOLE[name]).replace("{value}", VALUE).replace("{n}", str(n))
    return json.loads(text)


def transaction():
    """The patient under a condition, and Observations that refer to it, each before it."""
    urn = resource("observation")["subject"]["reference"]
    request = {"method": "POST", "url": "Patient", "ifNoneExist": f"identifier={SYSTEM}|{VALUE}"}
    numbers = range(1, WHOLE["observations"] + 1)
    entries = [{"resource": resource("observation", n), "request": {"method": "POST", "url": "Observation"}} for n in numbers]
    entries.append({"fullUrl": urn, "resource": resource("patient"), "request": request})
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def run(client, steps, cannot=None):
    """Goes through the steps in their order and ends the program: 0 when all hold. `cannot` has reasons for steps left out."""
    cannot = cannot or {}
    assert set(WHOLE["steps"]) == steps.keys() | cannot.keys(), set(WHOLE["steps"]) ^ (steps.keys() | cannot.keys())
    failed = 0
    for name in WHOLE["steps"]:
        if name in cannot:
            print(f"# {client}: {name}: left out, {cannot[name]}", flush=True)
            continue
        try:
            steps[name]()
            print(f"ok - {client}: {name}", flush=True)
        except Exception as error:  # one that fails must not keep the others from running
            failed += 1
            print(f"not ok - {client}: {name}: {type(error).__name__}: {error}", flush=True)
            traceback.print_exc(file=sys.stdout)
    sys.exit(1 if failed else 0)
