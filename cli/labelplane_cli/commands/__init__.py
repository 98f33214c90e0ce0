"""One module a command; what a command needs loads when it runs."""
