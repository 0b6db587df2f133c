"""The algorithm of the Python original, written anew: prints nanoseconds a pick, without its sleep.

python3 original.py KEYS
"""

import random
import sys
import time


class Key:
    __slots__ = ("text", "weight", "available", "errors")

    def __init__(self, number):
        self.text = f"AIzaSyFAKE_benchmark_{number:07}_0123456789"
        self.weight = random.uniform(0.5, 2.0)
        self.available = True
        self.errors = 0


def pick(keys):
    sums, total = [], 0.0
    for key in keys:
        if key.available:
            total += key.weight
            sums.append((total, key))
    wanted = random.uniform(0.0, total)
    for reached, key in sums:
        if reached >= wanted:
            break
    key.errors = 0
    if key.weight < 10.0:
        key.weight = min(10.0, key.weight * 1.1)
    return key.text


def main():
    keys = [Key(number) for number in range(int(sys.argv[1]))]
    best, end = float("inf"), time.monotonic() + 2.0
    while time.monotonic() < end:
        start = time.perf_counter_ns()
        pick(keys)
        best = min(best, time.perf_counter_ns() - start)
    print(best)


main()
