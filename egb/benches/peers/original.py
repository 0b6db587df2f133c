"""What the Python original, easy-gemini-balance 0.3, takes for a pick and the report of its success, without its sleep
of 50 ms: prints nanoseconds, the mean of the fastest round.

python3 original.py KEYS            the same steps, written anew: no lock, no clock, no database
python3 original.py KEYS DIRECTORY  the tool itself; its package is in DIRECTORY (`src` in its repository)
"""

import contextlib
import io
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass


def texts(count):
    return [f"AIzaSyFAKE_benchmark_{number:07}_0123456789" for number in range(count)]


@dataclass
class Key:
    text: str
    weight: float
    is_available: bool = True
    errors: int = 0


class Steps:
    """All that is done once a key is done once a call here too: lists, sums and scans."""

    def __init__(self, count):
        self.keys = [Key(text, random.uniform(0.5, 2.0)) for text in texts(count)]

    def available(self):
        return [key for key in self.keys if key.is_available]

    def weigh(self):
        available = self.available()
        total = sum(key.weight for key in available)
        reached, self.sums = 0.0, []
        for key in available if total > 0 else []:
            reached += key.weight
            self.sums.append((reached, key))

    def pick(self):
        candidates = self.available()
        self.weigh()
        left = candidates.copy()
        wanted, reached = random.uniform(0, sum(key.weight for key in left)), 0.0
        for picked in left:
            reached += picked.weight
            if reached >= wanted:
                break
        left.remove(picked)
        return picked.text

    def succeeded(self, text):
        key = next(key for key in self.keys if key.text == text)
        key.errors = 0
        key.weight = min(10.0, key.weight * 1.1)
        self.weigh()


def steps(count):
    pool = Steps(count)
    return lambda: pool.succeeded(pool.pick())


def tool(count, directory):
    sys.path.insert(0, directory)
    from easy_gemini_balance import KeyBalancer

    with open("keys.txt", "w") as file:
        file.writelines(f"{text}:{random.uniform(0.5, 2.0)}\n" for text in texts(count))
    balancer = KeyBalancer(keys_file="keys.txt", db_path="keys.db", auto_save=False)
    balancer.min_selection_interval = 0
    return lambda: balancer.update_key_health(balancer.get_single_key(), success=True)


def fastest(call):
    """As for the others: short rounds, so that other programs interrupt few of them."""
    start = time.perf_counter_ns()
    call()
    calls = max(1, min(100, 10_000_000 // (time.perf_counter_ns() - start)))
    best, end = float("inf"), time.monotonic() + 2.0
    while time.monotonic() < end:
        start = time.perf_counter_ns()
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter_ns() - start) / calls)
    return best


def main():
    count = int(sys.argv[1])
    directory = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        # The tool says on stdout what it does.
        with contextlib.redirect_stdout(io.StringIO()):
            best = fastest(tool(count, directory) if directory else steps(count))
        os.chdir("/")
    print(best)


main()
