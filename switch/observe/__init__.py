"""What operators see of a running switch: the log, the metrics and the status page."""
