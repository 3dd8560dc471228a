"""Named checks, one line each: `ok - name` or `not ok - name: why`."""

import sys
import traceback

CHECKS = []


def check(function):
    """Takes a function as a check; its name, read as words, is the check's."""
    CHECKS.append(function)
    return function


def run(client_name, *arguments):
    """Runs every check and ends the program: 0 when all hold."""
    failed = 0
    for function in CHECKS:
        name = f"{client_name}: {function.__name__.replace('_', ' ')}"
        try:
            function(*arguments)
            print(f"ok - {name}", flush=True)
        except Exception as error:  # a check that fails must not keep the others from running
            failed += 1
            print(f"not ok - {name}: {type(error).__name__}: {error}", flush=True)
            traceback.print_exc(file=sys.stdout)
    sys.exit(1 if failed else 0)
