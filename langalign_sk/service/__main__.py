"""Command line of the service: ``python -m langalign_sk.service FOLDER``.

The token, if there is one, is in the environment variable ``LANGALIGN_SERVICE_TOKEN``: a command line
can be read by other users.
"""

from __future__ import annotations

import argparse
import os

from . import serve


def main() -> None:
    """Serve a saved model."""
    parser = argparse.ArgumentParser(prog="python -m langalign_sk.service", description=__doc__)
    parser.add_argument("folder", help="folder of a saved model")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", default=8000, type=int, help="port to listen at")
    given = parser.parse_args()
    token = os.environ.get("LANGALIGN_SERVICE_TOKEN")
    try:
        serve(given.folder, host=given.host, port=given.port, token=token)
    except (ImportError, OSError, TypeError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")  # whoever types a command needs no traceback


if __name__ == "__main__":
    main()
