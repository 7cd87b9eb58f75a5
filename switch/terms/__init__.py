"""The terms of service at work: calendars, the fair-use ladder and its cases."""
