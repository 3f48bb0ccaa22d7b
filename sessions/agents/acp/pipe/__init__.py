"""The pipe of an agent: its lines, its messages, its updates in order and under bounds."""
