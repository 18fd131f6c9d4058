"""Reload a server again and again under every style of client, and count what was lost, by kind."""
