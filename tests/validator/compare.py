#!/usr/bin/env python3
"""Compares verdicts: compare.py OFFICIAL.json OURS.ndjson [MS SECONDS]; exit status 1 when fewer than 99.5 of 100 agree.

Both are about the same files, whose folder names the group; a verdict is whether there is an error. Prints a table and
each disagreement with what the one that found an error said; with the milliseconds that the official validator says it takes for
one, and the CPU seconds of ours for all, how they compare.
"""
import collections
import json
import pathlib
import sys


def key(name):
    path = pathlib.Path(name)
    return path.parent.name, path.name


def main():
    official = {key(file["file"]): file for file in json.load(open(sys.argv[1]))}
    ours = {key(file["file"]): file for file in map(json.loads, open(sys.argv[2]))}
    counts, only_we, only_they = collections.Counter(), [], []
    for name in sorted(official.keys() & ours.keys()):
        they, we = official[name], ours[name]
        counts[name[0], "resources"] += 1
        counts[name[0], "errors"] += they["errors"] > 0
        if (they["errors"] > 0) == (we["errors"] > 0):
            continue
        severe = lambda file: [issue for issue in file["issues"] if issue["severity"] in ("error", "fatal")]
        if we["errors"]:
            only_we.append((name, severe(we)[0]))
            counts[name[0], "only we"] += 1
        else:
            only_they.append((name, severe(they)[0]))
            counts[name[0], "only they"] += 1
    print("| group | resources | with errors | only we find any | only they do | agreement |\n|---|--:|--:|--:|--:|--:|")
    groups = sorted({group for group, _ in counts})
    for group in groups + ["all"]:
        of = lambda what: sum(counts[one, what] for one in (groups if group == "all" else [group]))
        total, apart = of("resources"), of("only we") + of("only they")
        print(f"| {group} | {total} | {of('errors')} | {of('only we')} | {of('only they')} | {100 * (1 - apart / max(total, 1)):.2f} % |")
    for (_, name), issue in only_we:
        print(f"only we: {name}: {issue['expression']}: {issue['text'][:160]}")
    for (_, name), issue in only_they:
        print(f"only they: {name}: {issue['path']}: {issue['id']}: {issue['text'][:160]}")
    if len(sys.argv) > 4 and ours:
        they, we = float(sys.argv[3]), float(sys.argv[4]) * 1e6 / len(ours)
        print(f"in this run: {they:.1f} ms a resource by its own word, ours {we:.0f} us, start and writing included: 1 : {they * 1e3 / max(we, 1):.0f}")
    missing = len(official.keys() ^ ours.keys())
    if missing:
        print(f"{missing} resources were judged by one of them alone")
    sys.exit(total == 0 or missing > 0 or apart > total * 0.005)


main()
