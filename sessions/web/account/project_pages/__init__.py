"""The pages of an account's projects: all of them, each one, and the forms that change them."""
