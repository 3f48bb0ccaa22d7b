"""The agents that Backstay knows by itself, some of which a machine may have."""

from sessions.agents.definitions import PRESETS

# For an agents file: the agents that it names are the only ones.
NO_PRESETS = "".join(f"[agents.{preset.name}]\nenabled = false\n" for preset in PRESETS)
