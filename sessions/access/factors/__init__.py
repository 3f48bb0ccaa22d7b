"""Second factors of an account: an authenticator app, passkeys, recovery codes."""
