"""The paths of logging in and of the account."""

from django.urls import path
from django.views.generic import RedirectView

from sessions.web.account import (
    agent_log_in,
    agents,
    confirm,
    factors,
    log_in,
    mcp_servers,
    overview,
    phone,
    rules,
)
from sessions.web.account.project_pages import listing, one, saving

urlpatterns = [
    path("login/", log_in.LogIn.as_view(), name="login"),
    path("login/second/", log_in.second, name="login-second"),
    path("login/once/<str:secret>", log_in.once, name="login-once"),
    # In front of the admin's own forms, which have no rate limit.
    path("admin/login/", log_in.admin_log_in),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account-password")),
    path("logout/", log_in.LogOut.as_view(), name="logout"),
    path("account/", overview.account, name="account"),
    path("account/confirm/", confirm.confirm, name="account-confirm"),
    path("account/password/", overview.password, name="account-password"),
    path("account/phone/", phone.phone, name="account-phone"),
    path("account/log-ins/end/", overview.end_log_in, name="account-end-log-in"),
    path("account/tokens/make/", overview.make_token, name="account-make-token"),
    path("account/tokens/revoke/", overview.revoke_token, name="account-revoke-token"),
    path("account/rules/", rules.page, name="account-rules"),
    path("account/rules/add/", rules.add, name="account-add-rule"),
    path("account/rules/remove/", rules.remove, name="account-remove-rule"),
    path("account/projects/", listing.page, name="account-projects"),
    path("account/projects/<uuid:project_id>/", one.page, name="account-project"),
    path("account/projects/save/", saving.save, name="account-save-project"),
    path("account/projects/remove/", saving.remove, name="account-remove-project"),
    path("account/mcp-servers/", mcp_servers.page, name="account-mcp-servers"),
    path("account/mcp-servers/add/", mcp_servers.add, name="account-add-mcp-server"),
    path("account/mcp-servers/remove/", mcp_servers.remove, name="account-remove-mcp-server"),
    path("account/agents/", agents.page, name="account-agents"),
    path("account/agents/add/", agents.add, name="account-add-agent"),
    path("account/agents/remove/", agents.remove, name="account-remove-agent"),
    path("account/agents/try/", agents.attempt, name="account-try-agent"),
    path("account/agents/ways/", agent_log_in.ways, name="account-agent-ways"),
    path("account/agents/log-in/", agent_log_in.begin, name="account-agent-log-in"),
    path("account/agents/terminal/", agent_log_in.page, name="account-agent-terminal"),
    path("account/agents/turn/", agent_log_in.turn, name="account-agent-turn"),
    path("account/require/", factors.require, name="account-require"),
    path("account/app/", factors.app, name="account-app"),
    path("account/passkey/", factors.passkey, name="account-passkey"),
    path("account/codes/", factors.codes, name="account-codes"),
    path("account/remove/", factors.remove, name="account-remove"),
]
