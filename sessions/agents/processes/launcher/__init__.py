"""The program between the server and an agent: it confines itself, then becomes the agent.

It runs in an interpreter without site packages (`python -I -S`) and imports the standard library
alone, so that it costs an agent's start some 30 ms.
"""
