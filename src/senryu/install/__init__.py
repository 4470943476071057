"""Putting the platform on a machine: its processes as services of systemd or runit."""
