"""How long the search for failures takes: seconds among all tests, minutes by ``make fuzz``."""

from __future__ import annotations

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # the tests are skipped
    pass
else:
    # Times depend on the machine. Failures are kept as files of cases, which later versions of
    # hypothesis still read.
    common = {
        "deadline": None,
        "database": None,
        "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
    }
    settings.register_profile("short", max_examples=40, derandomize=True, **common)
    settings.register_profile("long", max_examples=3_000, **common)
    settings.load_profile("short")
