"""A confined process that parses untrusted bytes: pictures, magic bytes, pages.

`sandbox.py` schedules jobs and maps their outcomes, `child.py` controls the process, `worker.py` is
its main program, and `confinement.py` removes its privileges.
"""
