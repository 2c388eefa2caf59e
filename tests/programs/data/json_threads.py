"""A load for the allocator: threads and child processes create, print and parse JSON documents.

Reads nothing. Prints digests that depend only on the seeds.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import threading


def document(rng: random.Random, depth: int = 0) -> object:
    """A nested value of strings, numbers, lists and dictionaries."""
    kind = rng.randrange(6) if depth < 5 else rng.randrange(3)
    if kind == 0:
        return rng.random()
    if kind == 1:
        return "".join(chr(rng.randrange(32, 0x2000)) for _ in range(rng.randrange(60)))
    if kind == 2:
        return [rng.randrange(1 << 40) for _ in range(rng.randrange(30))]
    if kind == 3:
        return [document(rng, depth + 1) for _ in range(rng.randrange(7))]
    return {f"key{rng.randrange(1000)}": document(rng, depth + 1) for _ in range(rng.randrange(9))}


def digest(seed: int, rounds: int) -> str:
    """The digest of some documents; every one has to survive its way through text."""
    rng, total = random.Random(seed), hashlib.sha256()
    kept: list[object] = []
    for _ in range(rounds):
        value = [document(rng) for _ in range(6)]
        text = json.dumps(value, sort_keys=True, indent=rng.choice([None, 1]))
        if json.loads(text) != value:
            raise SystemExit(f"seed {seed}: a document has changed on its way through JSON")
        total.update(text.encode())
        kept.append(value)
        if len(kept) > 10:
            del kept[rng.randrange(len(kept))]
    return total.hexdigest()


def in_threads(count: int, rounds: int) -> list[str]:
    results = [""] * count

    def work(index: int) -> None:
        results[index] = digest(index, rounds)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    # children are started while the threads are at work
    children = [in_child(f"child {index}") for index in range(3)]
    for thread in threads:
        thread.join()
    return results + children


def in_child(word: str) -> str:
    code = "import json, sys; print(json.dumps({'child': sys.argv[1] * 1000})[:40])"
    command = [sys.executable, "-c", code, word]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def many_short_threads(count: int) -> int:
    total: list[int] = []
    lock = threading.Lock()

    def work(index: int) -> None:
        text = json.dumps({str(i): [i] * (i % 20) for i in range(index % 50)})
        with lock:
            total.append(len(json.loads(text)))

    for start in range(0, count, 20):
        threads = [threading.Thread(target=work, args=(start + i,)) for i in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sum(total)


for line in in_threads(8, 40):
    print(line)
print(many_short_threads(400))
