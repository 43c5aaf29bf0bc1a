"""A confined process that reads strangers' bytes: pictures, magic bytes, pages.

`sandbox.py` gives out turns and decides what becomes of a job, `child.py` is the process as the
server sees it, `worker.py` is its main program, `confinement.py` what it may still do.
"""
