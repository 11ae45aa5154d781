"""What importing model_selection loads."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_import_needs_no_torch():
    code = (
        "import sys, langalign_sk.model_selection as m; [getattr(m, n) for n in m.__all__]; "
        "assert not {'torch', 'skorch', 'transformers'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
