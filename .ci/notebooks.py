"""Run every notebook from top to bottom; name the cell that fails. `--write` keeps the outputs in the files."""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    failed = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        start = time.perf_counter()
        try:
            NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
        except CellExecutionError as error:
            failed.append(path.name)
            print(f"{path.name}: {error}")
        else:
            print(f"{path.name}: {time.perf_counter() - start:.1f} s")
            if "--write" in sys.argv:
                for cell in notebook.cells:
                    cell.get("metadata", {}).pop("execution", None)
                nbformat.write(notebook, path)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
