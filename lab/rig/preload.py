"""Imported by the process that test servers fork from, and by nothing else."""

from lab.rig import prepared

prepared.prepare()
