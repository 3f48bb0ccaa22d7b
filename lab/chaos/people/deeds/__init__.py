"""The deeds of a person about files, folders and waiting prompts."""
