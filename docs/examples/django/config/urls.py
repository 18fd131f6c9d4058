"""Which address leads to which view."""

from __future__ import annotations

from django.urls import path
from notes import views

urlpatterns = [path("", views.index), path("notes/", views.add), path("up/", views.up)]
