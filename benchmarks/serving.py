"""A server under load: two clients in processes of their own against `isometry serve`, for minutes.

    python benchmarks/serving.py GALLERY PICTURES --seconds 180 --clients 2

Each client holds one connection and asks one thing after the other: mostly /search with a picture, sometimes /embed, /search by
vectors, /match where the gallery is calibrated, and a picture added and deleted. PICTURES is a folder of picture files. It
prints requests a second, errors, the quantiles of what the clients waited, and how the server's memory grew.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

MIX = {"search": 70, "vectors": 15, "embed": 10, "add and delete": 4, "about": 1}
TOKEN = "a-token-for-the-benchmark-alone"


class Done(NamedTuple):
    """One request: what it was, its status (0: no answer), and seconds."""

    what: str
    status: int
    seconds: float


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.line, self.done = http.client.HTTPConnection("127.0.0.1", port, timeout=60), list[Done]()

    def ask(self, what: str, method: str, path: str, body: bytes = b"", kind: str = "image/png") -> Any:
        """The answer's JSON; None where there is none."""
        began = time.perf_counter()
        try:
            headers = {"content-type": kind, "authorization": f"Bearer {TOKEN}"}
            self.line.request(method, path, body, headers)
            got = self.line.getresponse()
            text, status = got.read(), got.status
        except (OSError, http.client.HTTPException):
            self.line.close()
            text, status = b"", 0
        self.done.append(Done(what, status, time.perf_counter() - began))
        return json.loads(text) if text and status == 200 else None


def client(port: int, pictures: list[bytes], until: float, seed: int, mix: dict[str, int], out: Any) -> None:
    """Asks until the time is over."""
    one, drawn = Client(port), random.Random(seed)
    vector = (one.ask("embed", "POST", "/embed", pictures[0]) or {"embeddings": [[0.0]]})["embeddings"][0]
    while time.time() < until:
        what, picture = drawn.choices([*mix], [*mix.values()])[0], drawn.choice(pictures)
        if what == "vectors":
            body = json.dumps({"vectors": [[x + drawn.gauss(0, 0.1) for x in vector] for _ in range(4)]}).encode()
            one.ask(what, "POST", "/search", body, "application/json")
        elif what == "add and delete":
            added = one.ask("add", "POST", "/items?label=added", picture)
            if added:
                one.ask("delete", "DELETE", f"/items/{added['ids'][0]}")
        elif what == "about":
            one.ask(what, "GET", "/about")
        else:
            one.ask(what, "POST", f"/{what}", picture)
    out.put(one.done)


def resident(process: int) -> float:
    """Megabytes of memory that a process holds."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def quantile(values: list[float], q: float) -> float:
    """The value below which the share q lies."""
    return sorted(values)[min(int(q * len(values)), len(values) - 1)] if values else float("nan")


def table(done: list[Done], seconds: float) -> str:
    """Requests a second, errors and waiting times, by what was asked."""
    rows = [
        "| request | number | per second | errors | p50 ms | p95 ms | p99 ms | longest ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for what in ["all", *dict.fromkeys(one.what for one in done)]:
        these = [one for one in done if what in ("all", one.what)]
        wrong, times = sum(one.status != 200 for one in these), [1e3 * one.seconds for one in these]
        shown = " | ".join(f"{quantile(times, q):.0f}" for q in (0.5, 0.95, 0.99, 1.0))
        rows.append(f"| {what} | {len(these):,} | {len(these) / seconds:.1f} | {wrong} | {shown} |")
    return "\n".join(rows)


def main() -> None:
    """Starts the server, loads it, prints."""
    asked = argparse.ArgumentParser()
    asked.add_argument("gallery")
    asked.add_argument("pictures")
    asked.add_argument("--seconds", type=float, default=120)
    asked.add_argument("--clients", type=int, default=2)
    given = asked.parse_args()
    files = sorted(
        p for p in Path(given.pictures).rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")
    )[:200]
    pictures = [path.read_bytes() for path in files]
    command = [sys.executable, "-m", "isometry.cli", "serve", given.gallery, "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "ISOMETRY_TOKEN": TOKEN})
    try:
        said = server.stdout.readline() if server.stdout else ""
        port = int(re.findall(r":(\d+)", said)[0])
        first = Client(port)
        about = first.ask("about", "GET", "/about")
        mix = MIX | ({"match": 10} if about["calibrated"] else {})
        for picture in pictures[:20]:
            first.ask("search", "POST", "/search", picture)
        results: Any = multiprocessing.Queue()
        before, until = resident(server.pid), time.time() + given.seconds
        load = os.getloadavg()[0]
        clients = [
            multiprocessing.Process(target=client, args=(port, pictures, until, seed, mix, results))
            for seed in range(given.clients)
        ]
        for one in clients:
            one.start()
        middle = 0.0
        while time.time() < until:
            time.sleep(1)
            if not middle and until - time.time() < given.seconds / 2:
                middle = resident(server.pid)
        done = [row for _ in clients for row in results.get(timeout=120)]
        for one in clients:
            one.join()
        after = resident(server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        ended = server.wait(timeout=60)
    print(f"{about['items']:,} × {about['dim']}, {about['kind']}; {given.clients} clients, {given.seconds:g} s")
    print(
        f"load of the machine when it began {load:.1f}, when it ended {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores\n"
    )
    print(table(done, given.seconds))
    print(f"\nmemory of the server: {before:.0f} MB, half-way {middle:.0f} MB, at the end {after:.0f} MB")
    print(f"statuses {sorted({one.status for one in done})}; ended on SIGTERM with {ended}")


if __name__ == "__main__":
    main()
