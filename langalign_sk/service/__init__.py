"""HTTP service of a fitted pipeline, with limits on what a request may cost.

It belongs behind a proxy that has TLS and limits per client. The server itself is in the extra
``service``: ``pip install "langalign-sk[service,skops]"``.
"""

from ._answers import answer
from ._folder import check_owner, user_folder
from ._limits import ServiceLimits
from ._serve import create_app, serve

__all__ = ["ServiceLimits", "answer", "check_owner", "create_app", "serve", "user_folder"]
