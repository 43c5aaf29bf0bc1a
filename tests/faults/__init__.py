"""Tests of faults: full disks, failing databases, clock steps, slow clients and floods."""
