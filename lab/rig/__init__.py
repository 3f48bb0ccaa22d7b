"""The rig: starts real servers and browsers on loopback, for the tests and for the laboratory.

processes.py starts, freezes and ends every process, each on a port that ports.py has reserved.
services.py, servers.py, proxies.py and pushpin.py know the programs; install.py installs them.
backdoor.py reaches a server's database from a process of its own, over json_lines.py.
"""
