#!/usr/bin/env python3
"""Makes mutants of FHIR resources: each element dropped, doubled, retyped, recoded or put into another slice.

    mutants.py COUNT OUT FILE...

writes about COUNT mutants to the folder OUT, spread evenly over the files and over what can be done to them. What is
made depends on the names and the content of the files alone.
"""
import hashlib
import json
import pathlib
import sys

WORDS = {"code", "system", "url", "status", "display", "unit", "type", "use", "reference", "profile", "intent", "kind", "mode"}


def places(value, path=()):
    """All places of a resource but its type, from the outside in."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "resourceType":
                yield path + (key,)
                yield from places(inner, path + (key,))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield path + (index,)
            yield from places(inner, path + (index,))


def at(value, path):
    for step in path:
        value = value[step]
    return value


def drop(holder, key):
    del holder[key]


def double(holder, key):
    value = holder[key]
    if isinstance(holder, list):
        holder.insert(key, value)
    elif isinstance(value, list):
        holder[key] = value + value
    else:
        holder[key] = [value, value]


def retype(holder, key):
    value = holder[key]
    if isinstance(value, bool):
        holder[key] = str(value).lower()
    elif isinstance(value, (int, float)):
        holder[key] = str(value)
    elif isinstance(value, str):
        holder[key] = 7
    elif isinstance(value, list):
        holder[key] = value[0] if value else {}
    else:
        holder[key] = "text"


def recode(holder, key):
    value = holder[key]
    if isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, (int, float)):
        holder[key] = -value - 0.5
    elif isinstance(value, str):
        holder[key] = "other" if key in WORDS and key not in ("system", "url", "reference", "profile") else value + "-x"
    elif isinstance(value, list):
        holder[key] = []
    else:
        holder[key] = {}


def reslice(holder, key):
    """Moves an element out of its slice: its neighbour's content, or another name."""
    value = holder[key]
    if isinstance(holder, list):
        holder[key], holder[key - 1] = holder[key - 1], {"text": "other"} if isinstance(value, dict) else value
    elif isinstance(value, str) and value.startswith("http"):
        holder[key] = "http://terminology.hl7.org/CodeSystem/observation-category"
    elif isinstance(value, str):
        holder[key] = " " + value
    else:
        holder[key + "Other"] = holder.pop(key)


CHANGES = [drop, double, retype, recode, reslice]


def choices(name, resource):
    """What can be done to a resource, in an order that only its name decides."""
    every = [(change, path) for path in places(resource) for change in CHANGES]
    order = lambda choice: hashlib.sha256(f"{name} {choice[0].__name__} {choice[1]}".encode()).digest()
    return sorted(every, key=order)


def main():
    count, out, files = int(sys.argv[1]), pathlib.Path(sys.argv[2]), [pathlib.Path(name) for name in sys.argv[3:]]
    out.mkdir(parents=True, exist_ok=True)
    seeds = {file.stem: json.loads(file.read_text()) for file in sorted(files, key=lambda file: file.stem)}
    waiting = {name: choices(name, resource) for name, resource in seeds.items()}
    made = 0
    while made < count and any(waiting.values()):
        for name, left in waiting.items():
            if made == count or not left:
                continue
            change, path = left.pop(0)
            mutant = json.loads(json.dumps(seeds[name]))
            change(at(mutant, path[:-1]), path[-1])
            where = hashlib.sha256(repr(path).encode()).hexdigest()[:8]
            (out / f"{name}~{change.__name__}-{where}.json").write_text(json.dumps(mutant, ensure_ascii=False, indent=1))
            made += 1


main()
