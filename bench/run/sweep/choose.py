"""The cluster that a call asks for."""

from pathlib import Path

from bench.core.sweep.record import Asked
from bench.core.variants import UsageError
from bench.run.sweep.cluster import Cluster

NEEDED = "submitit>=1.5.4"


def made(asked: Asked, folder: Path) -> Cluster:
    """The cluster that a call asks for; submitit keeps its files in `folder`.

    Raises UsageError if submitit is missing, or if the cluster is not there.
    """
    try:
        import submitit  # noqa: F401, PLC0415 - an extra of this verb alone
    except ImportError as error:
        msg = f"bench sweep needs submitit: pip install '{NEEDED}', or 'nin-bench[cluster]'"
        raise UsageError(msg) from error
    if asked.cluster == "slurm":
        from bench.run.sweep.slurm import Slurm  # noqa: PLC0415 - needs submitit

        return Slurm(asked, folder)
    from bench.run.sweep.local import Local  # noqa: PLC0415 - needs submitit

    return Local(asked, folder)
