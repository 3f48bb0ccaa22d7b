"""The pages on which staff log in to an agent: its ways, and a terminal for one of them."""

from __future__ import annotations

from typing import Any, Final

from asgiref.sync import async_to_sync
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from sessions.access.acts.log_ins import source_of
from sessions.access.login.confirmation import asked_for_factor, confirmed
from sessions.access.login.origin_key import is_in_form
from sessions.agents import registry
from sessions.agents.log_in import methods, terminal
from sessions.agents.log_in.place import Place
from sessions.agents.port import AgentError
from sessions.agents.ways import Kind, Method
from sessions.core.errors import ChatError, InvalidRequest
from sessions.log_ins import needs
from sessions.text.visible import visible
from sessions.trail.record import Act, record
from sessions.web.account.agents import for_staff

# A page of ways may be used for so long: it carries them, as the agent has told them.
OFFER_S: Final = 3600
_SALT: Final = "agent log-in"
MAX_DIGITS: Final = 9


@require_POST
@login_required
@for_staff
@confirmed
def ways(request: Any) -> HttpResponse:
    """Ask an agent for its ways to log in, and show them."""
    return _ways(request, request.POST.get("agent", ""))


@require_POST
@login_required
@for_staff
@confirmed
def begin(request: Any) -> HttpResponse:
    """Begin a log-in, and lead to its terminal."""
    user = request.user
    name = request.POST.get("agent", "")
    try:
        method = _signed(name, request.POST.get("way", ""))
        made = terminal.begin(name, method, user_id=user.pk, account=user.get_username())
    except ChatError as exc:
        return _ways(request, name, problem=str(exc))
    who, source = user.get_username(), source_of(request)
    record(Act.AGENT_LOG_IN, who=who, about=f"agent:{name}", source=source, way=method.name)
    return HttpResponseRedirect(f"{reverse('account-agent-terminal')}?{urlencode({'id': made})}")


@require_safe
@never_cache
@login_required
@for_staff
def page(request: Any) -> HttpResponse:
    """Show the terminal of a log-in; one that is gone leads back to the agents."""
    if asked := asked_for_factor(request):
        return asked
    log_in_id = request.GET.get("id", "")
    found = terminal.find(log_in_id, user_id=request.user.pk)
    if found is None:
        return HttpResponseRedirect(reverse("account-agents"))
    place, about = found
    place.see()
    return render(
        request,
        "account/agent_terminal.html",
        {"id": log_in_id, "agent": about["label"], "way": visible(about["method"])},
    )


@require_POST
@never_cache
@login_required
@for_staff
def turn(request: Any) -> HttpResponse:
    """Take what was typed, and answer with the output behind the page's cursor."""
    if asked_for_factor(request) or not is_in_form(request):
        raise PermissionDenied
    place, about = _found(request)
    if place.has_succeeded():
        needs.settle(about["agent"], about["account"])
    if request.POST.get("leave"):
        place.leave()
        return HttpResponse(status=204)
    since = request.POST.get("since", "0")
    if not since.isascii() or not since.isdecimal() or len(since) > MAX_DIGITS:
        raise Http404
    try:
        shown = terminal.turn(place, since=int(since), typed=request.POST.get("typed", ""))
    except FileNotFoundError as exc:
        raise Http404 from exc
    except InvalidRequest as exc:
        return JsonResponse(exc.body(), status=exc.status)
    return JsonResponse({"text": shown.text, "since": shown.following, "ended": shown.ended})


def _found(request: Any) -> tuple[Place, dict[str, Any]]:
    found = terminal.find(request.POST.get("id", ""), user_id=request.user.pk)
    if found is None:
        raise Http404
    return found


def _ways(request: Any, name: str, *, problem: str = "") -> HttpResponse:
    offered: list[Method] = []
    try:
        label = registry.find(name).label
        offered = async_to_sync(methods.offered)(name, account=request.user.get_username())
    except (ChatError, AgentError, OSError) as exc:
        label, problem = name, problem or str(exc)
    ways = [
        {
            "name": visible(method.name),
            "description": visible(method.description),
            "variables": ", ".join(map(visible, method.variables)),
            "signed": "" if method.kind is Kind.VARIABLES else _sign(name, method),
        }
        for method in offered
    ]
    context = {"agent": name, "label": label, "ways": ways, "problem": visible(problem)}
    return render(request, "account/agent_ways.html", context)


def _sign(agent: str, method: Method) -> str:
    return signing.dumps(method.told(), salt=f"{_SALT} {agent}")


def _signed(agent: str, signed: str) -> Method:
    """Return a method that this server has offered for an agent. Raises InvalidRequest."""
    try:
        return Method.of_told(signing.loads(signed, salt=f"{_SALT} {agent}", max_age=OFFER_S))
    except signing.BadSignature as exc:
        raise InvalidRequest("This way to log in was offered too long ago. Choose again.") from exc
