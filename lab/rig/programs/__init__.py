"""Programs that are not the project's: installed where they are missing, and started."""
