"""The loads of an installation: everyday streaming, prompts, a killed process, a lost Redis."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from lab.benchmarks.contenders import subscribing
from lab.benchmarks.results.record import Value
from lab.benchmarks.scenarios.delivery import COUNTING_S, counts_of
from lab.benchmarks.several.installation import Installation
from lab.benchmarks.sizes import Sizes
from lab.rig.json_lines import Peer
from lab.rig.waiting import eventually

Json = dict[str, Any]

# Two thousand streams on a busy machine.
OPENING_S: Final = 300.0
PROMPTS_S: Final = 600.0
AT_ONCE: Final = 200


def paced(here: Installation, sizes: Sizes) -> dict[str, Value]:
    """Stream at a steady rate through some web processes."""
    streams = list(enumerate(here.told["paths"])) * sizes.paced_subscribers
    deadline_s = sizes.paced_seconds + OPENING_S
    spec = here.spec(streams, here.webs, deadline_s=deadline_s, at_once=AT_ONCE)
    with subscribing(spec) as (client, opened):
        _all_ready(opened, len(streams))
        time.sleep(sizes.settle_s)
        before = sum(web.cpu_s() for web in here.webs)
        order = {"rate": sizes.paced_rate, "seconds": sizes.paced_seconds}
        published = here.publisher.call("pace", within_s=deadline_s, **order)
        counted = _count(client, here, published, deadline_s)
        cpu_s = sum(web.cpu_s() for web in here.webs) - before
    expected = sum(published["counts"][channel] for channel, _ in streams)
    return counts_of(counted, published["counts"], expected) | {
        "server_cpu_s": cpu_s,
        "cpu_us_per_delivery": cpu_s * 1e6 / max(counted["delivered"], 1),
    }


def answered(here: Installation, sizes: Sizes, *, runners: int) -> dict[str, Value]:
    """Let runners answer prompts of as many chats; each agent is a process of its own."""
    with here.backdoor() as door:
        chats = [
            door.call("create_session", name="writer", agent="demo")
            for _ in range(sizes.runner_prompts)
        ]
        for chat in chats:
            door.call("prompt", session=chat, text="hello")
        if runners == 2:
            with here.beside("run-agents-2", "run_agents"):
                return _answered(here, door.call, sizes)
        return _answered(here, door.call, sizes)


def _answered(here: Installation, call: Any, sizes: Sizes) -> dict[str, Value]:
    began = time.monotonic()
    with here.beside("run-agents-1", "run_agents"):
        eventually(lambda: not call("progress")["open"], within_s=PROMPTS_S, what="the last turn")
        seconds = time.monotonic() - began
    return {"prompts": sizes.runner_prompts, "seconds": seconds}


def killed(here: Installation, sizes: Sizes) -> dict[str, Value]:
    """Kill one of two web processes under all streams; their clients return to the other."""
    first, second = here.webs
    places = [place % len(here.told["paths"]) for place in range(sizes.killed_streams)]
    before = [(place, here.told["paths"][place]) for place in places]
    order = {"deadline_s": OPENING_S, "at_once": AT_ONCE}
    with subscribing(here.spec(before, [first], **order)) as (_, opened):
        _all_ready(opened, len(before))
        published = here.publisher.call("pace", within_s=60, rate=10, seconds=0.5)
        died = time.monotonic()
        first.process.kill()
    behind = [
        (place, here.told["behind"][place].format(cursor=here.told["bases"][place]))
        for place in places
    ]
    with subscribing(here.spec(behind, [second], **order)) as (client, opened):
        seconds = time.monotonic() - died
        _all_ready(opened, len(behind))
        counted = _count(client, here, published, OPENING_S)
    return {
        "streams": len(behind),
        "returned": opened["ready"],
        "seconds": seconds,
        "missing": counted["missing"],
        "repeated": counted["repeated"],
    }


def without_redis_for_a_while(here: Installation, sizes: Sizes) -> dict[str, dict[str, Value]]:
    """Kill Redis while events flow, and start it again; return the values of each third."""
    if here.redis is None:
        raise RuntimeError("this installation has no Redis")
    streams = list(enumerate(here.told["paths"])) * sizes.paced_subscribers
    seconds = 3 * sizes.outage_s
    deadline_s = seconds + OPENING_S
    spec = here.spec(streams, here.webs, deadline_s=deadline_s, at_once=AT_ONCE)
    with subscribing(spec) as (client, opened), ThreadPoolExecutor(1) as pool:
        _all_ready(opened, len(streams))
        time.sleep(sizes.settle_s)
        rate = sizes.paced_rate / 2
        order = {"rate": rate, "seconds": seconds}
        pacing = pool.submit(lambda: here.publisher.call("pace", within_s=deadline_s, **order))
        time.sleep(sizes.outage_s)
        here.redis.process.kill()
        time.sleep(sizes.outage_s)
        here.redis.process.start()
        published = pacing.result()
        third = round(rate * sizes.outage_s)
        phases = {
            name: [place * third + 1, (place + 1) * third]
            for place, name in enumerate(("before", "Redis is dead", "Redis is back"))
        }
        counted = _count(client, here, published, deadline_s, phases=phases)
    return {
        name: {**found, "missing": counted["missing"], "repeated": counted["repeated"]}
        for name, found in counted["phases"].items()
    }


def _count(
    client: Peer,
    here: Installation,
    published: Json,
    deadline_s: float,
    *,
    phases: dict[str, list[int]] | None = None,
) -> Json:
    client.tell(
        {"counts": published["counts"], "bases": here.told["bases"], "phases": phases or {}}
    )
    received: Json = client.hear(within_s=deadline_s + 60)
    counted: Json = client.hear(within_s=COUNTING_S)
    return counted | received


def _all_ready(opened: Json, count: int) -> None:
    if opened["ready"] != count:
        raise RuntimeError(f"{opened['ready']} of {count} streams are ready")
