"""A world in which the coordinator of a job, its shards and their machines live, drawn from one seed.

Time is simulated. The coordinator, its state, its messages and leases are the real ones. Clocks of machines go up to
1 % wrong; messages come late, twice, out of order or never; processes are killed, or stopped and woken later; machines
are cut off, lost with their disks, come back, and new ones come. The crawl is a small one: pages are numbers, each
owned by a shard, with links to others; links to other shards go through an outbox until they are in an accepted
checkpoint.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from crawler.shards.checkpoint import Checkpoint
from crawler.shards.coordinator import Coordinator
from crawler.shards.effects import Confirm, EndShard, Save, StartShard, Tell
from crawler.shards.lease import Lease
from crawler.shards.messages import LOCKED, LOST, Answer, Offer, Orders, Report, Start
from crawler.shards.overview import Overview, Wish
from crawler.shards.placing import Node
from crawler.shards.state import ClusterState, decode, encode
from crawler.shards.timing import Timing

TIMING = Timing(10.0)


@dataclass
class Machine:
    """A node of the world. `folders` is its disk, which may outlive it, or not."""

    name: str
    cores: float = 1.0
    is_there: bool = True
    cut_off: bool = False
    folders: dict[int, "Folder"] = field(default_factory=dict)


@dataclass
class Folder:
    """The working folder of a shard: its store, and who has its lock."""

    incarnation: int
    store: "Store"
    locked_by: "Process | None" = None


@dataclass
class Store:
    """What a shard knows. `outbox` are links to others that are not safe yet, as (shard, page)."""

    known: set[int] = field(default_factory=set)
    done: set[int] = field(default_factory=set)
    outbox: set[tuple[int, int]] = field(default_factory=set)
    sent: int = 0
    taken: int = 0
    looks: int = 0
    commits: int = 0

    def copy(self) -> "Store":
        return Store(set(self.known), set(self.done), set(self.outbox), self.sent, self.taken, self.looks, self.commits)


class Web:
    """The pages of a crawl: which links to which, which shard owns which, and which are known only by a second look."""

    def __init__(self, rng: random.Random, pages: int, shards: int) -> None:
        self.shards = shards
        self.owner = [rng.randrange(shards) for _ in range(pages)]
        self.links = [
            [rng.randrange(pages) for _ in range(rng.randint(0, 3))] + ([page + 1] if page + 1 < pages else [])
            for page in range(pages)
        ]
        self.hidden = {shard: rng.randrange(pages) for shard in range(shards) if rng.random() < 0.3}
        self.seeds = {0}

    def reachable(self) -> set[int]:
        """Every page that a crawl without limits brings."""
        found, todo = set(self.seeds), list(self.seeds)
        while todo:
            todo += (new := set(self.links[todo.pop()]) - found)
            found |= new
        return found


class Process:
    """A process of the world, with the clock of its machine: killed, it does nothing; stopped, all of it waits."""

    def __init__(self, world: "World", machine: Machine) -> None:
        self.world, self.machine = world, machine
        self.rate = world.rng.choice([0.99, 1.0, 1.01])
        self.offset = world.rng.uniform(0, 1e6)
        self.is_dead = False
        self.stopped_until = 0.0

    def clock(self) -> float:
        return self.offset + self.world.now * self.rate

    def after(self, delay: float, do: Callable[..., None], *args: Any) -> None:
        """Do something after a delay by this clock; later if the process is stopped then, never if it is dead."""
        self.world.at(self.world.now + delay / self.rate, self._run, do, args)

    def _run(self, do: Callable[..., None], args: tuple[Any, ...]) -> None:
        if self.is_dead:
            return
        if self.world.now < self.stopped_until:
            self.world.at(self.stopped_until, self._run, do, args)
            return
        do(*args)

    def die(self) -> None:
        self.is_dead = True


class Host(Process):
    """The process of a coordinator: does its effects, one call at a time."""

    def __init__(self, world: "World", machine: Machine, state: ClusterState) -> None:
        super().__init__(world, machine)
        self.coordinator = Coordinator(state, TIMING)
        self.calls: list[tuple[Callable[[float], Any], Callable[[Any], None]]] = []
        self.is_busy = False
        self.after(0.1, self.turn)

    def turn(self) -> None:
        self.call(lambda now: (None, self.coordinator.tick(now)))
        if self.world.rng.random() < self.world.tick_s / 2:
            here = [
                Node(m.name, m.cores, m.name)
                for m in self.world.machines
                if m.is_there and m.cut_off == self.machine.cut_off
            ]
            self.call(lambda now: (None, self.coordinator.nodes(here, now)))
        self.after(self.world.tick_s, self.turn)

    def call(self, what: Callable[[float], Any], answer: Callable[[Any], None] = lambda _: None) -> None:
        self.calls.append((what, answer))
        self.go_on()

    def go_on(self) -> None:
        if not self.is_busy and self.calls:
            self.is_busy = True
            what, answer = self.calls.pop(0)
            given, effects = what(self.clock())
            self.do(list(effects), lambda: answer(given))

    def do(self, effects: list[Any], then: Callable[[], None]) -> None:
        if not effects:
            then()
            self.is_busy = False
            self.after(0.0, self.go_on)
            return
        effect = effects.pop(0)
        match effect:
            case Save() | Confirm():
                self.after(self.world.rng.choice([0.005] * 8 + [0.05, 0.5]), self.save, effect, effects, then)
                return
            case StartShard(node=node, start=start):
                self.world.start(node, start, self)
            case EndShard(shard=shard, epoch=epoch):
                self.world.end(shard, epoch, self)
            case Tell(text=text):
                self.world.log(text)
        self.do(effects, then)

    def save(self, effect: Save | Confirm, effects: list[Any], then: Callable[[], None]) -> None:
        if self.machine.cut_off:
            self.after(1.0, self.save, effect, effects, then)
        elif isinstance(effect, Save):
            if effect.state.number != self.world.last + 1:
                self.die()
                return
            self.world.save(effect.state)
            self.do(effects, then)
        elif self.world.last > effect.number:
            self.die()
        else:
            self.do(effects, then)


class Member(Process):
    """The process of a shard."""

    def __init__(self, world: "World", machine: Machine, start: Start) -> None:
        super().__init__(world, machine)
        self.shard, self.start, self.epoch = start.shard, start, start.epoch
        self.lease = Lease(start.lease_s, self.clock)
        self.folder: Folder | None = None
        self.could_not = ""
        self.released = self.final = False
        self.bound, self.grant = start.credit, start.grant
        self.checkpoint = start.checkpoint
        self.offering: tuple[Checkpoint, Store] | None = None
        self.safe: set[int] = set()
        self.safe_commits = -1
        self.orders = Orders(round=0)
        self.after(world.rng.uniform(0, 2), self.open)
        self.after(0.05, self.report)
        self.after(world.rng.uniform(0, 1), self.work)
        self.after(world.rng.uniform(1, 3), self.offer)

    @property
    def store(self) -> Store:
        assert self.folder is not None
        return self.folder.store

    def die(self) -> None:
        super().die()
        if self.folder is not None and self.folder.locked_by is self:
            self.folder.locked_by = None

    def open(self) -> None:
        there = self.machine.folders.get(self.shard)
        if there is not None and there.locked_by is not None:
            self.could_not = LOCKED
        elif self.start.own:
            if there is None or there.incarnation != self.start.incarnation:
                self.could_not = LOST
            else:
                self.folder = there
        else:
            kept = self.world.kept[self.checkpoint.listing].copy() if self.checkpoint is not None else Store()
            self.folder = Folder(self.start.incarnation, kept)
            self.machine.folders[self.shard] = self.folder
        if self.folder is not None:
            self.folder.locked_by = self
            self.allow(self.bound, self.grant, first=True)
            for page in self.world.web.seeds:
                if self.world.web.owner[page] == self.shard and page not in self.store.known:
                    self.store.known.add(page)
                    self.store.commits += 1
            if self.checkpoint is not None:
                self.safe = set(self.world.kept[self.checkpoint.listing].known)

    def holds(self) -> bool:
        return not self.is_dead and self.lease.may_ask()

    def allow(self, credit: int | None, grant: int, *, first: bool = False) -> None:
        if credit is not None and self.folder is not None and (first or grant > self.grant):
            self.bound, self.grant = max(credit, len(self.store.done)), grant

    @property
    def due(self) -> set[int]:
        return self.store.known - self.store.done

    def is_idle(self) -> bool:
        room = self.bound is None or len(self.store.done) < self.bound
        return not (self.due and room) and not self.store.outbox and self.safe_commits == self.store.commits

    def wants_look(self) -> bool:
        hidden = self.world.web.hidden.get(self.shard)
        return hidden is not None and self.store.looks == 0

    def report(self) -> None:
        if self.lease.is_lost:
            self.die()
            return
        if self.folder is None and not self.could_not:
            report = Report(
                shard=self.shard, epoch=self.epoch, incarnation=self.start.incarnation, node=self.machine.name
            )
        elif self.could_not:
            report = Report(
                shard=self.shard,
                epoch=self.epoch,
                incarnation=self.start.incarnation,
                node=self.machine.name,
                could_not=self.could_not,
            )
        else:
            idle = self.is_idle()
            report = Report(
                shard=self.shard,
                epoch=self.epoch,
                incarnation=self.start.incarnation,
                node=self.machine.name,
                opened=True,
                released=self.released,
                idle=idle,
                why="running" if not idle else "max-pages" if self.due else "done",
                pages=len(self.store.done),
                credit=self.bound,
                grant=self.grant,
                sent=self.store.sent,
                taken=self.store.taken,
                wants_look=self.wants_look(),
                looks=self.store.looks,
                published=self.checkpoint.number if self.checkpoint is not None else 0,
                round=self.orders.round,
            )
        sent = self.lease.sending()
        self.world.ask(
            self,
            lambda host, answer: host.call(lambda now: host.coordinator.report(report, now), answer),
            lambda orders: self.obey(sent, orders, report),
        )
        self.after(min(self.orders.next_s or TIMING.renew_s, 2.5), self.report)

    def obey(self, sent: float, orders: Orders, report: Report) -> None:
        self.lease.renew(sent, orders)
        self.world.is_alone(self)
        if orders.do == "end":
            self.die()
            return
        self.orders = orders
        self.allow(orders.credit, orders.grant)
        if self.folder is not None and orders.look > self.store.looks:
            self.store.looks = orders.look
            self.store.commits += 1
            hidden = self.world.web.hidden.get(self.shard)
            if hidden is not None:
                self.meet(hidden)
        if orders.do == "release":
            self.final = True

    def meet(self, page: int) -> None:
        owner = self.world.web.owner[page]
        if owner == self.shard:
            self.store.known.add(page)
        elif (owner, page) not in self.store.outbox:
            self.store.outbox.add((owner, page))
            self.store.sent += 1

    def work(self) -> None:
        self.after(self.world.rng.uniform(0.02, self.world.slow[self.shard]), self.work)
        if self.folder is None or self.released:
            return
        has_room = self.bound is None or len(self.store.done) < self.bound
        if self.due and has_room and not self.final and self.lease.may_ask():
            self.world.asks(self)
            page = self.world.rng.choice(sorted(self.due))
            self.store.done.add(page)
            for to in self.world.web.links[page]:
                self.meet(to)
            self.store.commits += 1
        for owner, page in sorted(self.store.outbox)[:20]:
            self.world.send(self, owner, page)

    def take(self, page: int) -> bool:
        """Take a link from another shard. Return whether it is safe here."""
        if self.folder is None or self.final:
            return False
        if page not in self.store.known:
            self.store.known.add(page)
            self.store.taken += 1
            self.store.commits += 1
        return page in self.safe

    def offer(self) -> None:
        self.after(self.world.rng.uniform(0.1, 8) * self.world.hurry if not self.final else 0.3, self.offer)
        if self.folder is None or self.released or not self.lease.may_ask():
            return
        if self.offering is None:
            if self.safe_commits == self.store.commits and not self.final:
                return
            number = (self.checkpoint.number if self.checkpoint is not None else 0) + 1
            made = Checkpoint(
                number=number,
                epoch=self.epoch,
                incarnation=self.start.incarnation,
                listing=f"{self.shard}-{self.epoch}-{number}",
                bytes=0,
                outputs=(),
                marks={},
                pages=len(self.store.done),
            )
            self.offering = (made, self.store.copy())
            self.world.kept[made.listing] = self.offering[1]
        made, kept = self.offering
        self.world.ask(
            self,
            lambda host, answer: host.call(
                lambda now: host.coordinator.offer(Offer(self.shard, self.epoch, made), now), answer
            ),
            lambda answer: self.accepted(made, kept, answer),
        )

    def accepted(self, made: Checkpoint, kept: Store, answer: Answer) -> None:
        if answer.lost:
            self.die()
        elif answer.accepted >= made.number and self.offering is not None and self.offering[0] is made:
            self.offering = None
            self.checkpoint = made
            self.safe = kept.known
            self.safe_commits = kept.commits
            if self.final and kept.commits == self.store.commits:
                self.lease.give_back()
                self.released = True
                if self.folder is not None:
                    self.folder.locked_by = None


class World:
    """Everything, and the promises that it looks at all the time."""

    def __init__(
        self, seed: int, state: ClusterState, *, pages: int = 60, calm_at: float = 300.0, torn: bool = False
    ) -> None:
        self.rng = random.Random(seed)
        self.now = 0.0
        self.events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.count = 0
        self.web = Web(self.rng, pages, len(state.shards))
        self.machines = [Machine(f"m{n}", self.rng.choice([1, 1, 2, 4])) for n in range(self.rng.randint(1, 4))]
        self.kept: dict[str, Store] = {}
        self.members: list[Member] = []
        self.lines: list[str] = []
        self.last = state.number
        self.saved = encode(state)
        self.calm_at = calm_at
        self.stops = False
        self.view: Overview | None = None
        self.weights = [self.rng.choice([0, 1, 1, 4]) for _ in range(10)]
        self.pace_s, self.tick_s = 12.0, 0.2
        if torn:  # machines are cut off and come back all the time, and coordinators sleep
            self.weights, self.pace_s, self.tick_s = [0, 0, 0, 1, 0, 2, 0, 0, 6, 1], 7.0, 0.05
            self.machines = [Machine(f"m{n}") for n in range(4)]
        self.hurry = self.rng.choice([0.05, 0.5])
        self.slow = [self.rng.choice([0.1, 0.5, 0.5, 3.0]) for _ in state.shards]
        self.host = Host(self, self.machines[0], state)
        self.hosts = [self.host]

    def open_again(self, state: ClusterState) -> None:
        """Begin the next run of the same job: another command, another coordinator; machines are what they are now."""
        self.events.clear()
        for process in (*self.members, *self.hosts):
            process.die()
        self.last, self.saved = state.number, encode(state)
        self.host = Host(self, self.rng.choice(self.machines), state)
        self.hosts.append(self.host)

    # What happens

    @property
    def is_calm(self) -> bool:
        return self.now >= self.calm_at

    def at(self, when: float, do: Callable[..., None], *args: Any) -> None:
        self.count += 1
        heapq.heappush(self.events, (when, self.count, do, args))

    def log(self, text: str) -> None:
        self.lines.append(f"{self.now:8.2f} {text}")

    def run(self, until: float) -> ClusterState:
        """Let the world go on until the run has ended. Fail if it has not by `until`."""
        self.at(self.now + 0.5, self.drive)
        self.at(self.now + 5, self.fail_somehow)
        while not self.state.is_over:
            assert self.now < until, "\n".join(["it did not end", *self.lines[-40:], str(self.state)])
            self.now, _, do, args = heapq.heappop(self.events)
            do(*args)
        return self.state

    @property
    def state(self) -> ClusterState:
        return decode(self.saved)

    def save(self, state: ClusterState) -> None:
        self.last = state.number
        self.saved = encode(state)
        if state.max_pages is not None:
            kept = sum(shard.kept_pages for shard in state.shards)
            assert kept <= max(state.max_pages, self.brought_before), f"{kept} of {state.max_pages} pages are public"

    brought_before = 0

    def drive(self) -> None:
        """Be the driver: it finds the coordinator that is there."""
        self.at(self.now + 1, self.drive)
        if self.reaches(self.host, None):
            self.host.call(lambda now: self.host.coordinator.wish(Wish(stop=self.stops), now), self.see)
        elif self.host.is_dead or not self.host.machine.is_there or self.rng.random() < 0.1:
            self.replace_host()

    def see(self, view: Overview) -> None:
        self.view = view

    def replace_host(self) -> None:
        there = [m for m in self.machines if m.is_there and not m.cut_off]
        if there:
            self.host = Host(self, self.rng.choice(there), self.state)
            self.hosts.append(self.host)
            self.log("another coordinator")

    def reaches(self, one: Process, other: Process | None) -> bool:
        cut_off = other.machine.cut_off if other is not None else False
        return not one.is_dead and one.machine.cut_off == cut_off and self.now >= one.stopped_until

    def delay(self) -> float:
        return self.rng.uniform(0.001, 0.02) if self.is_calm or self.rng.random() < 0.9 else self.rng.uniform(0, 8)

    def ask(self, member: Member, call: Callable[..., None], answer: Callable[[Any], None]) -> None:
        """Call the coordinator that this process knows: mostly the last one; late, twice or never while it storms."""
        rough = not self.is_calm and self.rng.random() < 0.05
        hosts = [host for host in self.hosts if not host.is_dead and host.machine.cut_off == member.machine.cut_off]
        host = hosts[-1] if not rough and hosts else self.rng.choice(self.hosts)
        for _ in range(2 if rough else 1):
            if not rough or self.rng.random() < 0.8:
                self.at(self.now + self.delay(), self._call, member, host, call, answer)

    def _call(self, member: Member, host: Host, call: Callable[..., None], answer: Callable[[Any], None]) -> None:
        def back(given: Any) -> None:
            if member.machine.cut_off == host.machine.cut_off and (self.is_calm or self.rng.random() > 0.02):
                member.after(self.delay(), answer, given)

        if not host.is_dead and member.machine.cut_off == host.machine.cut_off:
            host.after(0.0, call, host, back)

    def start(self, node: str, start: Start, by: Host) -> None:
        machine = next(m for m in self.machines if m.name == node)
        holders = [one.epoch for one in self.members if one.shard == start.shard and one.holds()]
        assert start.own or not holders, f"shard {start.shard} is given away, and {holders} hold it"
        late = self.rng.uniform(0.1, 2) if self.is_calm or self.rng.random() < 0.9 else self.rng.uniform(2, 90)
        self.at(self.now + late, self._start, machine, start, by)

    def _start(self, machine: Machine, start: Start, by: Host) -> None:
        if machine.is_there and machine.cut_off == by.machine.cut_off:
            self.members.append(Member(self, machine, start))

    def end(self, shard: int, epoch: int, by: Host) -> None:
        for member in self.members:
            if (member.shard == shard and member.epoch <= epoch and member.machine.cut_off == by.machine.cut_off) and (
                self.is_calm or self.rng.random() < 0.7
            ):
                self.at(self.now + self.rng.uniform(0, 1), member.die)

    def send(self, sender: Member, owner: int, page: int) -> None:
        epoch = sender.orders.epochs[owner] if sender.orders.epochs else 0
        for member in self.members:
            if (member.shard, member.epoch) == (owner, epoch) and self.reaches(member, sender) and member.take(page):
                sender.store.outbox.discard((owner, page))
                sender.store.commits += 1

    def fail_somehow(self) -> None:
        """Do one bad thing, or mend one."""
        if self.is_calm:
            for machine in self.machines:
                machine.cut_off, machine.is_there = False, True
            for process in (*self.members, *self.hosts):
                process.stopped_until = min(process.stopped_until, self.now + 1)
            return
        self.at(self.now + self.rng.expovariate(1 / self.pace_s), self.fail_somehow)
        living = [member for member in self.members if not member.is_dead]
        machine = self.rng.choice(self.machines)
        match self.rng.choices(range(10), self.weights)[0] if any(self.weights) else 9:
            case 0 | 1 if living:
                victim = self.rng.choice(living)
                victim.die()
                self.log(f"kill -9 of shard {victim.shard}, epoch {victim.epoch}")
                if self.rng.random() < 0.7:
                    self.at(self.now + 0.3, self._tell_death, victim)
            case 2 | 3 if living:
                victim = self.rng.choice(living)
                victim.stopped_until = self.now + self.rng.choice([3, 9, 12, 30, 80])
                self.log(f"shard {victim.shard}, epoch {victim.epoch}, stops until {victim.stopped_until:.1f}")
            case 4:
                self.host.die()
                self.log("kill -9 of the coordinator")
            case 5:
                self.host.stopped_until = self.now + self.rng.choice([5, 15, 40])
                self.replace_host()
            case 6 if sum(m.is_there for m in self.machines) > 1:
                self.lose(machine, with_disk=self.rng.random() < 0.6)
            case 7:
                machine.is_there = True
            case 8:
                machine.cut_off = not machine.cut_off
                self.log(f"{machine.name} is {'cut off' if machine.cut_off else 'back'}")
            case 9 if len(self.machines) < 6:
                self.machines.append(Machine(f"m{len(self.machines)}", self.rng.choice([1, 2, 4])))

    def lose(self, machine: Machine, *, with_disk: bool) -> None:
        machine.is_there = False
        self.log(f"{machine.name} is lost{' with its disk' if with_disk else ''}")
        for process in (*self.members, *self.hosts):
            if process.machine is machine:
                process.die()
        if with_disk:
            machine.folders.clear()

    def _tell_death(self, member: Member) -> None:
        if member.machine.is_there and self.reaches(self.host, member):
            self.host.call(lambda now: (None, self.host.coordinator.died(member.shard, member.epoch, now)))

    # What is promised

    def asks(self, member: Member) -> None:
        """A shard asks a server: nobody else may be able to, and all together keep to the limit."""
        self.is_alone(member)
        state = self.state
        assert member.epoch == state.shards[member.shard].epoch
        if state.max_pages is not None:
            pages = 1 + sum(len(one.store.done) for one in self.members if self._is_holder(one, state))
            assert pages <= max(state.max_pages, self.brought_before), f"{pages} of {state.max_pages} pages"

    def is_alone(self, member: Member) -> None:
        """If a process has a lease, no other one has a lease of the same shard, asleep and cut off or not."""
        if member.holds():
            others = [
                one.epoch for one in self.members if one.shard == member.shard and one is not member and one.holds()
            ]
            assert not others, f"shard {member.shard} has the holders {member.epoch} and {others}"

    def _is_holder(self, member: Member, state: ClusterState) -> bool:
        return member.folder is not None and member.epoch == state.shards[member.shard].epoch and not member.is_dead

    def public(self) -> set[int]:
        """The pages of all accepted checkpoints. Each stands in one, that of its owner."""
        found: list[int] = []
        for number, shard in enumerate(self.state.shards):
            if shard.checkpoint is not None:
                done = self.kept[shard.checkpoint.listing].done
                assert all(self.web.owner[page] == number for page in done)
                found += done
        assert len(found) == len(set(found))
        return set(found)
