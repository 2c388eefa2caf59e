"""The Python program of the trace `python`: JSON, dictionaries, text and sorting, as scripts use them.

The random numbers are fixed, so that each recording does the same work.
"""

import collections
import itertools
import json
import random
import re


def orders(count: int) -> list[dict[str, object]]:
    """Records of different shapes, as an interface of a server returns them."""
    chance = random.Random(7)
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
    return [
        {
            "id": number,
            "customer": f"{chance.choice(words)}-{chance.randrange(300)}",
            "items": [
                {"name": chance.choice(words) * chance.randrange(1, 4), "price": chance.random() * 100}
                for _ in range(chance.randrange(1, 6))
            ],
            "note": " ".join(chance.choice(words) for _ in range(chance.randrange(30))),
            "tags": chance.sample(words, chance.randrange(4)),
        }
        for number in range(count)
    ]


def totals(text: str) -> dict[str, float]:
    """The turnover of each customer, from the orders as JSON."""
    found: dict[str, float] = collections.defaultdict(float)
    for order in json.loads(text):
        found[order["customer"]] += sum(item["price"] for item in order["items"])
    return found


def index(texts: list[str]) -> dict[str, list[int]]:
    """The texts in which each word, or pair of words, appears."""
    found: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        words = re.findall(r"\w+", text)
        for word in [*words, *(f"{one} {other}" for one, other in itertools.pairwise(words))]:
            found.setdefault(word, []).append(place)
    return found


def main() -> None:
    for count in (200, 400, 800):
        made = orders(count)
        text = json.dumps(made, indent=1)
        best = sorted(totals(text).items(), key=lambda pair: -pair[1])[:5]
        words = index([str(order["note"]) for order in made])
        print(len(text), len(words), best[0][0])


main()
