"""Hardening: the memory and the files of this process, closed to other programs and users."""
