#!/usr/bin/env python3
"""Codes that resources use and that the validator has no table of, as HL7's own packages use them: from the concepts of
their code systems and value sets, and from the codings of their examples. What no package knows stays unknown, and the
validator complains of it. Usage: terminology.py RESOURCES PACKAGES LOINC OUT

Writes OUT/CodeSystem-N.json, fragments of the systems below, and OUT/loinc.tsv: LOINC, and what was found besides."""

import json
import pathlib
import sys
import tarfile

LOINC = "http://loinc.org"
SYSTEMS = [
    "urn:ietf:bcp:47",
    "http://nucc.org/provider-taxonomy",
    "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
    "http://terminology.hl7.org/CodeSystem/PHOccupationalDataForHealthODH",
]


def codings(value):
    """Every (system, code, display) below, those of value sets and code systems too."""
    if isinstance(value, list):
        for one in value:
            yield from codings(one)
    if not isinstance(value, dict):
        return
    if isinstance(value.get("code"), str) and isinstance(value.get("system"), str):
        yield value["system"], value["code"], value.get("display")
    system = value.get("system") or value.get("url")
    for concept in value.get("concept") or []:
        if isinstance(concept, dict) and isinstance(system, str):
            yield system, concept.get("code"), concept.get("display")
    for one in value.values():
        yield from codings(one)


def resources(package):
    """The resources of a package, as bytes."""
    with tarfile.open(package) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".json"):
                yield archive.extractfile(member).read()


def known(packages, wanted):
    """The wanted (system, code) pairs that packages use, with their displays."""
    found = {}
    needles = [f'"{code}"'.encode() for _, code in wanted]
    for package in sorted(packages.glob("*.tgz")):
        for text in resources(package):
            if not any(needle in text for needle in needles):
                continue
            for system, code, display in codings(json.loads(text)):
                if (system, code) in wanted and display:
                    found.setdefault((system, code), []).append(display)
    return found


def main(examples, packages, loinc, out):
    used = {
        (system, code): display
        for file in pathlib.Path(examples).glob("*.json")
        for system, code, display in codings(json.loads(file.read_text()))
        if system in [LOINC, *SYSTEMS]
    }
    listed = pathlib.Path(loinc).read_text()
    already = {(LOINC, line.split("\t")[0]) for line in listed.splitlines() if not line.startswith("#")}
    displays = known(pathlib.Path(packages), used.keys() - already)
    # Examples shorten the names of LOINC as they like: one that none of them has is not held against any.
    found = {key: used[key] if used[key] in all_of_it else "" for key, all_of_it in displays.items()}
    more = "".join(f"{code}\t{display}\n" for (system, code), display in sorted(found.items()) if system == LOINC)
    pathlib.Path(out, "loinc.tsv").write_text(listed.rstrip("\n") + "\n" + more)
    for number, system in enumerate(SYSTEMS):
        concepts = [{"code": code, "display": displays[of, code][0]} for of, code in sorted(found) if of == system]
        fragment = {"resourceType": "CodeSystem", "id": f"fragment-{number}", "url": system, "status": "active", "content": "fragment"}
        pathlib.Path(out, f"CodeSystem-{number}.json").write_text(json.dumps(fragment | {"concept": concepts}))
    missing = sorted(used.keys() - already - found.keys())
    print(f"terminology: {len(found)} codes from packages, {len(missing)} unknown {missing}")


main(*sys.argv[1:])
