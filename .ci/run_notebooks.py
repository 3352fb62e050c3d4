"""Run every notebook of a folder from top to bottom, in its own kernel; nothing is written back.

`python .ci/run_notebooks.py notebooks` prints one line per notebook and exits 1 if a cell of any of them failed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

CELL_TIMEOUT = 300


def main(folder: str) -> int:
    paths = sorted(Path(folder).glob("*.ipynb"))
    if not paths:
        print(f"{folder}: no notebooks, nothing to run")
        return 0

    import nbformat
    from nbclient import NotebookClient

    failed = 0
    for path in paths:
        started = time.perf_counter()
        try:
            notebook = nbformat.read(path, as_version=4)
            nbformat.validate(notebook)
            client = NotebookClient(
                notebook,
                timeout=CELL_TIMEOUT,
                kernel_name="python3",
                resources={"metadata": {"path": str(path.parent)}},
            )
            client.execute()
        except Exception as error:  # one bad notebook must not hide the next
            failed += 1
            print(f"{path}: FAILED\n{error}")
        else:
            print(f"{path}: ran in {time.perf_counter() - started:.1f} s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
