"""Three levels on a cluster of three nodes, one of which goes away while they train."""

from __future__ import annotations

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

from tests.integration.tiny_fit import NAMES, config, datasets, fit

__all__ = ["datasets"]  # a fixture

# Ray Train imports pydantic v1 style models and its own deprecated modules.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.timeout(600),
]

CHECKPOINT_EVERY = 20


@pytest.fixture
def cluster(tmp_path_factory):
    """A head and two more nodes of two CPUs each, on ports and in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.25")
        patch.delenv("RAY_ADDRESS", raising=False)
        # It would tell every Ray of the machine that this cluster is the one to join.
        patch.setattr("ray._private.utils.write_ray_address", lambda *arguments: None)
        folder = str(tmp_path_factory.getbasetemp().parent / "m")
        node = {"num_cpus": 2, "object_store_memory": 100 << 20, "include_dashboard": False}
        # Any port: where its default one is taken, Ray leaves the socket open that it tried it with.
        head = {**node, "temp_dir": folder, "dashboard_port": None}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(2):
                cluster.add_node(**node)
            # Ray Train's own helpers look for "the" cluster of the machine.
            patch.setenv("RAY_ADDRESS", cluster.address)
            ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


class NodeLoss:
    """Watches a training and takes one node away once all levels have come far enough."""

    def __init__(self, cluster: Cluster, *, at_step: int) -> None:
        self._cluster, self._at_step = cluster, at_step
        self.nodes: dict[str, str] = {}
        """By level, the node it trained on before."""
        self.steps: dict[str, int] = {}
        self.lost: str | None = None
        """The node that is gone."""
        self.last = {}

    def __call__(self, snapshot) -> None:
        self.last = snapshot
        if self.lost is None and min(level.step for level in snapshot.values()) >= self._at_step:
            self.nodes = {name: self._node_of(level.pids[0]) for name, level in snapshot.items()}
            self.steps = {name: level.step for name, level in snapshot.items()}
            gone = next(
                node for node in self._cluster.worker_nodes if node.node_id in self.nodes.values()
            )
            self.lost = gone.node_id
            self._cluster.remove_node(gone, allow_graceful=False)

    def _node_of(self, pid: int) -> str:
        """Workers are children of their node's raylet."""
        parent = psutil.Process(pid).ppid()
        (found,) = [
            node.node_id
            for node in self._cluster.list_all_nodes()
            if node.all_processes["raylet"][0].process.pid == parent
        ]
        return found


def test_levels_spread_over_the_nodes_and_survive_the_loss_of_one(cluster, datasets, tmp_path):
    loss = NodeLoss(cluster, at_step=40)
    report = fit(config(max_steps=200), datasets, tmp_path, on_progress=loss)
    assert len(set(loss.nodes.values())) == 3
    assert len(ray.nodes()) - sum(not node["Alive"] for node in ray.nodes()) == 2
    for name in NAMES:
        assert report.levels[name].steps == 200
        assert report.levels[name].tokens_seen == 200 * 4 * 32
        begun_at = loss.last[name].first_step
        if loss.nodes[name] == loss.lost:
            # A checkpoint that was being stored when the node went is the second interval.
            assert loss.steps[name] - 2 * CHECKPOINT_EVERY <= begun_at < 200
            assert begun_at > 0
        else:
            assert begun_at == 0
