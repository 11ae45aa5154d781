"""Limits of the service."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral, Real

from .._utils.validation import check_number

__all__ = ["ServiceLimits"]


@dataclass(frozen=True)
class ServiceLimits:
    """Limits on what requests may cost a service.

    Attributes
    ----------
    max_body_bytes : int, default=4_000_000
        Bytes of a body. A larger one is refused by its Content-Length, or while it is read. The
        default holds 256 rows of 2,000 Korean letters, each escaped to six bytes of JSON.
    max_rows : int, default=256
        Texts of a request.
    max_letters : int, default=2_000
        Characters of a text in the normal form NFKC, which can be 18 times as long as what was sent.
    max_concurrent : int, default=4
        Requests that are answered at the same time, in threads.
    max_waiting : int, default=64
        Requests that wait for one of these threads; more are refused with status 503.
    max_buffered_bytes : int, default=64_000_000
        Bytes of all bodies in memory, not counting the first 64 KiB of each, which
        `max_connections` limits.
    max_connections : int, default=512
        Open connections; more are refused with status 503.
    max_seconds : float, default=30
        Time to answer a request whose body has arrived, waiting included.
    max_body_seconds : float, default=8
        Time for a body to arrive.
    max_idle_seconds : float, default=5
        Time for a request to begin on an open connection, its headers included.

    Examples
    --------
    >>> from langalign_sk.service import ServiceLimits
    >>> ServiceLimits(max_rows=32).max_rows
    32
    """

    max_body_bytes: int = 4_000_000
    max_rows: int = 256
    max_letters: int = 2_000
    max_concurrent: int = 4
    max_waiting: int = 64
    max_buffered_bytes: int = 64_000_000
    max_connections: int = 512
    max_seconds: float = 30.0
    max_body_seconds: float = 8.0
    max_idle_seconds: float = 5.0

    def __post_init__(self) -> None:
        """Check every limit."""
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if name == "max_waiting":
                check_number(name, value, Integral, lambda n: n >= 0, "a non-negative int")
            elif isinstance(field.default, int):
                check_number(name, value, Integral, lambda n: n > 0, "a positive int")
            else:
                check_number(name, value, Real, lambda n: 0 < n < 86_400, "seconds in (0, 86400)")
