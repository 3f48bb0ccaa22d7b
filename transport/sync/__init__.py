"""Periodic sync: the safety net under every stream."""
