"""What befalls a simulated cluster: kills, losses, stops, suspensions, partitions, clocks."""

import shutil
from functools import partial

from bench.simulation.cluster import Cluster
from bench.simulation.disk import Database
from bench.simulation.holder import Holder
from bench.simulation.plan import Blow
from bench.simulation.world import Killed, Node, Process

__all__ = ["Blows"]

_CUT_OFF_SEEN_S = 6.0
"""After so long the engine takes a node for lost that nobody reaches."""


class Blows:
    """Deals the blows of a plan to a cluster. Has no state."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._world = cluster.world
        for blow in cluster.plan.blows:
            self._world.at(blow.at, partial(self.befall, blow))

    def befall(self, blow: Blow) -> None:
        """Let something happen, if there is anybody to whom it may."""
        if self._cluster.is_over:
            return
        holders, up = self._cluster.living(), [node for node in self._cluster.machines.values() if node.is_up]
        holder = holders[int(blow.whom * len(holders))] if holders else None
        node = up[int(blow.whom * len(up))] if up else None
        coordinator = self._cluster.coordinators[-1]
        kind = blow.kind
        self._cluster.happened.append(kind)
        if kind == "kill shard" and holder is not None:
            self._tell(kind, holder.process.name)
            holder.process.kill()
        elif kind == "kill in commit" and holder is not None and holder.ring is not None:
            self._kill_in_commit(holder, after=blow.lasts_s > 8.0)
        elif kind == "kill coordinator":
            self._tell(kind, coordinator.name)
            coordinator.kill()
        elif kind == "second coordinator":
            self._cluster.start_coordinator()
        elif kind in {"lose node", "lose node and disk"} and node is not None:
            self._lose(node, blow.lasts_s, disk=kind != "lose node")
        elif kind == "stop shard" and holder is not None:
            self._stop(holder.process, blow.lasts_s)
        elif kind == "stop coordinator":
            self._stop(coordinator, blow.lasts_s)
        elif kind == "suspend node" and node is not None:
            self._suspend(node, blow.lasts_s)
        elif kind == "cut off node" and node is not None:
            self._cut_off(node, blow.lasts_s)
        elif kind == "clock jumps" and node is not None:
            node.skew_s = self._cluster.rng.uniform(-0.03, 0.03)
        elif kind == "add node":
            self._tell(kind, f"n{len(self._cluster.machines)}")
            self._cluster.add_node(f"n{len(self._cluster.machines)}")
        elif kind == "drain node" and node is not None and len(up) > 1:
            self._tell(kind, node.name)
            self._cluster.leaving.add(node.name)

    def _tell(self, kind: str, whom: str) -> None:
        self._world.tell(f"=== {kind}: {whom}")

    def _kill_in_commit(self, holder: Holder, *, after: bool) -> None:
        assert holder.ring is not None
        path = holder.ring.path

        def at_commit(is_after: bool) -> None:
            if self._world.running is holder.process and is_after == after:
                self._tell("kill in commit", f"{holder.process.name}, {'after' if after else 'before'} it")
                del Database.disks.at_commit[path]
                holder.process.die()
                raise Killed

        Database.disks.at_commit[path] = at_commit

    def _lose(self, node: Node, lasts_s: float, *, disk: bool) -> None:
        self._tell("lose node and disk" if disk else "lose node", node.name)
        node.is_up = False
        for holder in self._cluster.living():
            if holder.process.node is node:
                holder.process.kill()
        for process in self._cluster.coordinators:
            if process.node is node:
                process.kill()
        if disk and not self._cluster.plan.shared_disk:
            shutil.rmtree(self._cluster.base / "disks" / node.name, ignore_errors=True)

        def come_back() -> None:
            self._tell("node comes back", node.name)
            node.is_up = True

        self._world.after(lasts_s, come_back)

    def _stop(self, process: Process, lasts_s: float) -> None:
        self._tell("stop", f"{process.name} for {lasts_s:g} s")
        process.stop()
        self._world.after(lasts_s, process.go_on)

    def _suspend(self, node: Node, lasts_s: float) -> None:
        self._tell("suspend", f"{node.name} for {lasts_s:g} s")
        node.suspend()

        def resume() -> None:
            node.resume()
            for process in [*self._cluster.coordinators, *(holder.process for holder in self._cluster.living())]:
                if process.node is node:
                    process.wake()

        self._world.after(lasts_s, resume)

    def _cut_off(self, node: Node, lasts_s: float) -> None:
        self._tell("cut off", f"{node.name} for {lasts_s:g} s")
        self._cluster.network.cut.add(node.name)
        cluster = self._cluster

        def is_missed() -> None:
            if node.name in cluster.network.cut:
                cluster.unseen.add(node.name)

        self._world.after(_CUT_OFF_SEEN_S, is_missed)
        if cluster.coordinators[-1].node is node and lasts_s > 2 * _CUT_OFF_SEEN_S and len(cluster.machines) > 1:
            self._world.after(2 * _CUT_OFF_SEEN_S, cluster.start_coordinator)

        def join_again() -> None:
            self._tell("cut off no more", node.name)
            self._cluster.network.cut.discard(node.name)
            self._cluster.unseen.discard(node.name)

        self._world.after(lasts_s, join_again)
