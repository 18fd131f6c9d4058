"""The pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from notes.models import Note


@require_GET
def index(request: HttpRequest) -> HttpResponseBase:
    """Show all notes."""
    return render(request, "notes/index.html", {"notes": Note.objects.order_by("id")})


@require_POST
def add(request: HttpRequest) -> HttpResponseBase:
    """Add a note."""
    Note.objects.create(text=request.POST["text"])
    return redirect("/")


@require_GET
def up(_request: HttpRequest) -> HttpResponseBase:
    """Answer procmon's heartbeat."""
    return HttpResponse("ok\n", content_type="text/plain")
