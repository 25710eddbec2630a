"""The embedded cloud of `driftwarden demo`, its estate and its story."""
