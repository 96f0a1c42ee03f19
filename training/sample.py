"""Cut the bundled sample from the Server Machine Dataset.

    python3 training/sample.py SMD_DIR internal/sample/data

SMD_DIR holds NAME.test.csv.gz files: a header f00,f01,…,label, one row a minute.
Of each machine below one window is kept, without the fields that never change in
it. The same input gives the same bytes.
"""

import csv
import gzip
import io
import pathlib
import sys

# Machine: first row of the window. Each window holds several labelled incidents
# and hundreds of ordinary rows before the first.
WINDOWS = {"machine-1-2": 15000, "machine-1-6": 3560, "machine-1-8": 15000}
ROWS = 4000


def cut(source: pathlib.Path, first: int) -> bytes:
    """Return the gzipped CSV of ROWS rows from first, constant fields left out."""
    with gzip.open(source, "rt", newline="") as f:
        header, *rows = csv.reader(f)
    rows = rows[first : first + ROWS]
    keep = [i for i, name in enumerate(header) if name == "label" or len({r[i] for r in rows}) > 1]
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow([header[i] for i in keep])
    out.writerows([[r[i] for i in keep] for r in rows])
    return gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0)


def main() -> None:
    source, target = map(pathlib.Path, sys.argv[1:])
    target.mkdir(parents=True, exist_ok=True)
    for machine, first in WINDOWS.items():
        data = cut(source / f"{machine}.test.csv.gz", first)
        (target / f"{machine}.csv.gz").write_bytes(data)
        print(f"{machine}: {len(data)} bytes")


if __name__ == "__main__":
    main()
