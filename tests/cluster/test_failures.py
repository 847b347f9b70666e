"""Processes, machines and commands that are lost in the middle of a crawl: nothing is missing, nothing there twice.

`make test-cluster` tries many more, one after the other and together.
"""

from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs ray: pip install '.[cluster]'")


@pytest.mark.thorough
def test_what_is_public_is_whole_whatever_is_lost(tmp_path: Path):
    from tests.cluster.failures import Trial
    from tests.support.cluster_jobs import Machines

    with Machines(tmp_path, 2) as machines:
        Trial(machines, tmp_path).run(
            "kill a parser",
            "kill a shard",
            "kill the coordinator",
            "stop a shard",
            "lose a machine with its disk",
            "kill the command",
        )
