"""The pages of an account: logging in and out, its log-ins, tokens and second factors."""
