"""Damaged and forged files for every reader (`--files 20000`), and kills of processes that write (`--kills 100`).

Each file has one of five outcomes:

* refused: the documented error;
* the same: accepted, with the meaning of the good file;
* forged: accepted with another meaning, because the mutation computed the checksums anew: a valid file;
* changed: accepted with another meaning, in a format that has no checksums: a changed number is a number;
* bad: another error, more than 5 s or 500 MB, a file left behind, or another meaning although checksums were broken.
"""

import argparse
import os
import sys

from . import kills, workers

WORDS = ("refused", "the same", "forged", "changed", "bad")


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__, formatter_class=raw)
    parser.add_argument("--files", type=int, default=0, help="how many files, over all readers")
    parser.add_argument("--kills", type=int, default=0, help="how many processes are killed while they write")
    parser.add_argument("--seed", type=int, default=0, help="the first seed: a reader's name and a seed name a file")
    parser.add_argument("--only", action="append", help="one of the readers; may be given several times")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    failed = False
    if options.files:
        counts, bad, slowest, checked = workers.run(options.files, options.seed, options.workers, options.only)
        print(f"\n{'reader':22}{'checksums':>10}" + "".join(f"{word:>10}" for word in WORDS))
        for name, has in checked.items():
            row = [counts[name, word] for word in WORDS]
            print(f"{name:22}{'yes' if has else 'no':>10}" + "".join(f"{n:10,}" for n in row))
        sums = [sum(counts[name, word] for name in checked) for word in WORDS]
        print(f"{'all':32}" + "".join(f"{n:10,}" for n in sums))
        without = sum(counts[name, "changed"] for name, has in checked.items() if has)
        print(f"accepted with another meaning by chance, in formats with checksums: {without}")
        total = sum(counts.values())
        print(f"{total:,} files, {len(bad)} bad; the slowest took {slowest[0]:.2f} s ({slowest[1]})")
        failed |= bool(bad or without)
    if options.kills:
        wrong = kills.run(options.kills, options.seed)
        print(f"{options.kills} kills, {len(wrong)} left something half written")
        failed |= bool(wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
