"""What a Dask worker does with a bundle: it says that it begins, and then does what every worker does.

The text of this module follows that of `worker` in each task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a worker has this function from the text of `worker`
    from layermatrix.hosts.executors.worker import run

TOPIC = "layermatrix"


def run_here(
    key: str, bundle: bytes, seconds: float, tools: Mapping[str, str]
) -> tuple[bytes | None, str, str]:
    """The result or the reason, as `run` returns them, and the worker's address."""
    from distributed import get_worker

    worker = get_worker()
    worker.log_event(TOPIC, {"key": key, "worker": worker.address})
    result, reason = run(bundle, seconds, tools)
    return result, reason, worker.address
