"""A job of many shards answers as any other: for all of its shards, in its folder or from its checkpoints."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.cli.entry import main
from crawler.core.errors import JobError, StorageError
from crawler.core.steered import Change
from crawler.frontier.reopening import Retried
from crawler.jobs.job import Job
from crawler.ledger.inbox import Answer, Inbox, Order
from crawler.shards.manifest import Manifests
from crawler.shards.orders import OrderBox, TakenOver
from crawler.shards.place import Place
from crawler.shards.state import ClusterState
from crawler.web.shards import owner
from tests.support.cluster_job import HOSTS, PAGES, keep_state, made_job
from tests.support.commands import Ended

SHARDS = 3
ALL = {f"http://{host}/{page}" for host in HOSTS for page in ("", *map(str, range(1, PAGES)), "missing")}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, ClusterState]:
    """A job that nobody changes."""
    folder = tmp_path_factory.mktemp("cluster") / "job"
    return folder, made_job(folder, shards=SHARDS)


@pytest.fixture
def job(made, tmp_path) -> Path:
    """A job to change."""
    shutil.copytree(made[0], tmp_path / "job")
    return tmp_path / "job"


@pytest.fixture
def command(tmp_path, monkeypatch, capfdbinary):
    """Return a function that runs a command in this process."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> Ended:
        code = main([str(one) for one in arguments])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Ended(code, out.decode(), err.decode())

    return command


def test_all_shards_answer_as_one_job(made):
    folder, _ = made
    with Job(folder) as job:
        told = job.status()
        assert (told.state, told.stats.pages, told.stats.known) == ("done", len(ALL), len(ALL))
        assert [one.shard for one in told.shards] == [0, 1, 2]
        assert sum(one.pages for one in told.shards) == sum(one.records for one in told.shards) == len(ALL)
        assert [one.url for one in job.urls()] == list(dict.fromkeys(one.url for one in job.urls())), "each once"
        assert {one.url for one in job.urls()} == ALL
        missing = {(one.page, one.url) for one in job.inlinks(job.urls(status=404))}
        assert missing == {(f"http://{host}/{PAGES - 1}", f"http://{host}/missing") for host in HOSTS}
        assert {one.host: one.outcomes for one in job.hosts()} == {host: {"fetched": PAGES + 1} for host in HOSTS}
        assert sum(one.met for one in job.check(["pages>=30", "title>=80%", "title>=81%"])) == 2
        samples = list(job.samples())
        assert samples[-1].at == max(one.at for one in samples)
        assert job.to_arrow().read_all().num_rows == len(ALL)


@pytest.mark.parametrize("here", [True, False], ids=["in its folder", "from its checkpoints"])
def test_the_shard_that_owns_a_url_tells_its_story_and_no_other_is_asked(made, tmp_path, here):
    """Without the folders of the others: only that shard's is read. Of a URL, that shard's checkpoint is fetched."""
    folder, _ = made
    url = f"http://{HOSTS[3]}/2"
    shard = owner(url, SHARDS)
    shutil.copytree(folder, tmp_path / "job")
    for other in set(range(SHARDS)) - {shard}:
        shutil.rmtree(tmp_path / "job" / "shards" / f"{other:03}")
        shutil.rmtree(tmp_path / "job" / "checkpoints" / f"{other:03}")
    if not here:
        shutil.rmtree(tmp_path / "job" / "shards")
    with Job(tmp_path / "job" if here else f"file://{tmp_path}/job") as job:
        told = job.explain(url)
    assert (told.shard, told.shards, told.is_known) == (shard, SHARDS, True)
    assert told.as_of == (None if here else 1_000_000_000.0)
    (story,) = told.stories
    assert [one.url for one in story.way] == [f"http://{HOSTS[3]}/1", f"http://{HOSTS[3]}/"]
    assert story.seed.shard == shard
    with Job(tmp_path / "job") as job, pytest.raises(StorageError, match=r"shard . of .* cannot be read"):
        list(job.urls())


def test_a_job_at_a_url_is_read_from_its_checkpoints_which_leave_nothing_here(made, tmp_path, monkeypatch):
    folder, _ = made
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shutil.copytree(folder, tmp_path / "job", ignore=shutil.ignore_patterns("shards"))
    with Job(f"file://{tmp_path}/job") as job:
        assert {one.url for one in job.urls()} == ALL
        assert job.status().stats.pages == len(ALL)
        assert any("checkpoints; the oldest is of 2001-09-09" in one for one in job.answers.said)
    assert [path.name for path in tmp_path.iterdir()] == ["job"]


def test_a_folder_of_an_earlier_incarnation_is_worth_nothing(job):
    place = Place(job)
    with Job(job) as opened:
        state = opened.answers._state
    began_again = tuple(replace(one, incarnation=2) for one in state.shards)
    keep_state(place, replace(state, number=2, shards=began_again))
    with Job(job) as opened:
        assert {one.url for one in opened.urls()} == ALL
        assert "all shards had" in opened.answers.said[0]


def test_the_parts_that_are_public_are_told_with_what_is_in_each(made, job):
    place = Place(job)
    Manifests(place).look(made[1])
    with Job(job) as opened:
        parts = list(opened.parts())
    lines = [json.loads(line) for part in parts for line in Path(part.path).read_bytes().splitlines()]
    assert {one["url"] for one in lines} == ALL
    assert len(lines) == len(ALL)
    for part in parts:
        assert part.records == len(Path(part.path).read_bytes().splitlines())
        assert (part.kind, part.bytes) == ("jsonl", Path(part.path).stat().st_size)
        assert f"part-{part.shard:03}" in part.path


def answering(job: Path, shard: int, answer: Answer) -> list[Order | int]:
    """Be the holder of a shard: take what is there, and answer; return the orders, and numbers of seeds."""
    inbox = Inbox(job / "shards" / f"{shard:03}")
    over = TakenOver(OrderBox(Place(job), shard), inbox)
    over.look()
    found: list[Order | int] = []
    for one in inbox.waiting()[0]:
        with inbox.open(one.name) as file:
            found.append(len(file.readlines()) if inbox.is_seeds(one.name) else inbox.order(one.name))
        inbox.finish(one.name, answer)
    over.look()
    return found


def test_seeds_and_orders_go_to_the_shards_that_they_concern(job):
    with Job(job) as opened:
        assert opened.add([f"http://{host}/new" for host in HOSTS]) is None, "nobody runs it: they wait"
        assert opened.retry(host=HOSTS[0]) is None
        assert opened.retry(url=f"http://{HOSTS[1]}/x") is None
        assert opened.retry() is None
        assert opened.steer("block", HOSTS[2]) is False
        with pytest.raises(JobError, match=r"no crawl runs job .*: there is nothing to pause"):
            opened.steer("pause")
    taken = {shard: answering(job, shard, Answer()) for shard in range(SHARDS)}
    owners = [owner(f"http://{host}/", SHARDS) for host in HOSTS]
    for shard, found in taken.items():
        orders = [one for one in found if isinstance(one, Order)]
        assert [one for one in found if isinstance(one, int)] == ([owners.count(shard)] if shard in owners else [])
        assert sum(one.retried is not None for one in orders) == 1 + (shard == owners[0]) + (shard == owners[1])
        assert [one.change for one in orders if one.change] == [Change("block", HOSTS[2])] * (shard == owners[2])


def test_who_asks_a_crawl_that_runs_elsewhere_waits_for_all_of_its_shards(made, job, monkeypatch):
    """A crawl that others run is seen by the signs that it gives; its answers are added up."""
    state = made[1]
    keep_state(Place(job), replace(state, number=2, ended="running"))
    now = 1_000_000_060.0
    monkeypatch.setattr("time.time", lambda: now)
    shutil.rmtree(job / "shards")
    address = f"file://{job}"
    waited: list[float] = []

    def patience(seconds: float) -> bool:
        waited.append(seconds)
        for shard in range(SHARDS):
            orders = OrderBox(Place(job), shard)
            for name in orders.waiting()[0]:
                orders.answer(name, Answer(new=1, due=2))
                orders.remove(name)
        return True

    with Job(address) as opened:
        assert opened.answers.is_running
        assert opened.answers.retry(Retried(), patience=patience) == 2 * SHARDS
        assert waited
        assert opened.status().state == "running"
        assert opened.status().recent.pages_per_s > 0
        now += 3_600
        assert not opened.answers.is_running
        assert opened.status().state == "killed"


def test_a_crawl_that_has_started_no_shard_yet_is_starting(made, job, monkeypatch):
    keep_state(Place(job), replace(made[1], number=2, ended="running", saved_at=1_000_000_000.0))
    with Job(job) as opened:
        monkeypatch.setattr("time.time", lambda: 1_000_000_010.0)
        assert opened.status().state == "starting"
        monkeypatch.setattr("time.time", lambda: 1_000_000_100.0)
        assert opened.status().state == "killed", "a lock would tell if it ran"


def test_what_cannot_be_read_is_told_as_of_any_job(made, tmp_path, command):
    folder, state = made
    ended = command("status", f"file://{tmp_path}/nothing")
    assert (ended.code, "there is no job at" in ended.err) == (2, True)
    (tmp_path / "damaged").mkdir()
    shutil.copytree(folder / "states", tmp_path / "damaged" / "states")
    (tmp_path / "damaged" / "states" / "0000000002.json").write_text("{")
    ended = command("urls", "damaged")
    assert (ended.code, "0000000002.json is damaged" in ended.err) == (5, True)
    keep_state(Place(tmp_path / "later"), replace(state, version=99))
    ended = command("explain", "later", "http://a.test/")
    assert (ended.code, "later version" in ended.err) == (2, True)
    keep_state(Place(tmp_path / "young"), replace(state, shards=tuple(type(one)() for one in state.shards)))
    ended = command("urls", "young")
    assert (ended.code, "no shard of job young has brought anything yet" in ended.err) == (2, True)
    assert command("status", "young").code == 0
    ended = command("plan", "--job", folder, "--depth", "1")
    assert (ended.code, "is a job of many shards" in ended.err) == (2, True)


@pytest.mark.parametrize("at", ["folder", "URL"])
def test_the_commands_answer_for_all_shards(made, job, command, at):
    name = job if at == "folder" else f"file://{job}"
    if at == "URL":
        shutil.rmtree(job / "shards")
    shown = command("status", name)
    assert shown.code == 0
    assert re.search(r"shard +state +node +epoch +pages", shown.out)
    assert re.search(r"^ +2 done|^ +2 stopped", shown.out, re.MULTILINE)
    (line,) = command("status", name, "--json").out.splitlines()
    assert [one["shard"] for one in json.loads(line)["shards"]] == [0, 1, 2]
    assert len(command("urls", name).out.splitlines()) == len(ALL)
    told = command("explain", name, f"{HOSTS[0]}/1").out
    assert re.search(rf"shard +{owner(f'http://{HOSTS[0]}/', SHARDS)} of 3 owns it", told)
    assert command("explain", name, f"{HOSTS[0]}/unknown").code == 3
    assert command("check", name, "--expect", "pages>=30").code == 0
    found = json.loads(command("report", name, "--json").out)
    assert found["figures"]["pages"] == found["figures"]["records"] == len(ALL)
    assert found["tables"]["fields"]["rows"][0]["records"] == len(ALL)
    assert "not taken yet" in command("add", name, "http://new.example/").err
    if at == "URL":
        assert "-o FILE is needed" in command("report", name).err
    else:
        shutil.copytree(job, job.parent / "output" / "one")
        assert re.search(r"^output/one +done +30", command("status").out, re.MULTILINE)


@pytest.mark.thorough
def test_a_page_shows_all_of_a_cluster_job(job, command):
    assert command("report", job).code == 0
    assert f"{len(ALL)} pages of {len(HOSTS)} hosts" in (job / "report.html").read_text()
