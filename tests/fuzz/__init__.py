"""Files that are damaged or forged, for every reader: `python -m tests.fuzz --files 20000`.

* `mutations`: what is done to the bytes of a good file;
* `readers`: for each kind of file a good one, how it is read, and what it means;
* `workers`: processes that read, with limits of time and memory;
* `kills`: processes that are killed while they write;
* `test_fuzz`: a few of each, in the suite. GRAPHNET_FUZZ=1000 makes it a thousand for each reader.
"""
