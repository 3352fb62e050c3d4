"""Damaged and forged files for every reader (`--files 20000`), and kills of processes that write (`--kills 100`)."""

import argparse
import os
import sys

from . import kills, workers

WORDS = ("refused", "the same", "another", "bad")


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=0, help="how many files, over all readers")
    parser.add_argument("--kills", type=int, default=0, help="how many processes are killed while they write")
    parser.add_argument("--seed", type=int, default=0, help="the first seed: a reader's name and a seed name a file")
    parser.add_argument("--only", action="append", help="one of the readers; may be given several times")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    failed = False
    if options.files:
        counts, bad, slowest = workers.run(options.files, options.seed, options.workers, options.only)
        print(f"\n{'reader':22}" + "".join(f"{word:>10}" for word in WORDS))
        for name in dict.fromkeys(name for name, _ in counts):
            print(f"{name:22}" + "".join(f"{counts[name, word]:10,}" for word in WORDS))
        total = sum(counts.values())
        print(f"{total:,} files, {len(bad)} bad; the slowest took {slowest[0]:.2f} s ({slowest[1]})")
        failed |= bool(bad)
    if options.kills:
        wrong = kills.run(options.kills, options.seed)
        print(f"{options.kills} kills, {len(wrong)} left something half written")
        failed |= bool(wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
