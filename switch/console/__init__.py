"""What operators do: the command line, and the Unix socket by which it reaches the running switch."""
