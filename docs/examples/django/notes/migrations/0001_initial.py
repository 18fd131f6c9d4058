"""Create the table of notes."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Written by `manage.py makemigrations`."""

    initial = True
    operations = [  # noqa: RUF012  Django reads it from the class
        migrations.CreateModel(
            "Note",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
            ],
        )
    ]
