"""What it costs to start workers: fresh interpreters, forks of one that has imported the app, and fewer imports."""
