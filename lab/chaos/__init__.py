"""The fault suite: real servers behind lines that cut, people who chat, and a checker.

    manage.py chaos --seed 7 --minutes 1

conductor.py plays one run: it starts a system (system.py: processes, services.py: databases), gives
every device (devices.py) a line of its own to it (lines.py: the cutting proxy), and breaks what
the seed says (faults.py). When everything works again and is quiet, checker.py holds what every
device has recorded (evidence.py) against the log, read from the database itself (database.py).
"""
