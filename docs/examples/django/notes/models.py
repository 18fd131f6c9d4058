"""What the database holds."""

from __future__ import annotations

from django.db import models


class Note(models.Model):
    """One note."""

    text = models.TextField()

    def __str__(self) -> str:
        return self.text
