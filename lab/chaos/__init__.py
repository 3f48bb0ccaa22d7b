"""The fault suite: real servers behind failing connections, chatting people, and a checker.

    manage.py chaos --seed 7 --minutes 1

conductor.py plays one run: it starts a system (system.py: processes, services.py: databases), gives
every device (devices.py) a line of its own to it (lines.py: the cutting proxy), and plays the
seed's faults (faults.py). When everything works again and is quiet, checker.py holds every device's
record (evidence.py) against the log, read from the database itself (database.py).
"""
