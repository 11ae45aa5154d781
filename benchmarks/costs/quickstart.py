"""The output of examples/quickstart.py, put into the README."""

import os
import subprocess
import sys
import time

from .._lib.machine import machine
from .._lib.paths import ROOT
from .._lib.tables import write_readme


def main():
    start = time.perf_counter()
    command = [sys.executable, str(ROOT / "examples" / "quickstart.py")]
    # No progress bars on stderr; the output is what a user reads on stdout.
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)  # nosec B603
    seconds = time.perf_counter() - start
    print(run.stdout)
    print(f"{seconds:.0f} s")
    # The report is too wide for the README: it keeps the first table.
    first, report = run.stdout.split("\nReport of the last classifier", 1)
    last = report.rstrip().splitlines()[-1]
    block = f"```text\n{first.rstrip()}\n\n{last}\n```\n\n{seconds:.0f} seconds on {machine()}."
    write_readme("quickstart", block)
