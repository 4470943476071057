"""webhooks and 2fa, against a fake platform."""

from __future__ import annotations

from .conftest import Senryu
from .fake_api import EMAIL, TOKEN, FakeApi

ID = "17f5de26-f5de-465c-85d1-a947b5f16c10"
WEBHOOK = {
    "id": ID,
    "url": "https://me:s3cret@example.com/hooks",
    "include": ["api:app", "api:dyno"],
    "level": "sync",
    "created_at": "2026-01-02T03:04:05Z",
    "dropped": 3,
}
DELIVERY = {
    "id": ID,
    "created_at": "2026-01-02T03:04:05Z",
    "status": "retrying",
    "event": {"id": "e1", "include": "api:app"},
    "webhook": {"id": "w1", "level": "sync"},
    "num_attempts": 2,
    "last_attempt": {"code": 500, "error_class": None},
    "next_attempt_at": "2026-01-02T03:05:05Z",
}
EVENT = {"id": "e1", "created_at": "2026-01-02T03:04:05Z", "payload": {"resource": "app", "action": "update", "published_at": "now"}}


def test_webhooks_are_listed_without_passwords(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/webhooks", [WEBHOOK])
    out = senryu("webhooks", "-a", "myapp").out
    assert "https://me:****@example.com/hooks" in out
    assert "api:app,api:dyno" in out
    assert "s3cret" not in out
    api.on("GET /apps/myapp/webhooks", [])
    assert "has no webhooks" in senryu("webhooks", "-a", "myapp").out
    api.on(f"GET /apps/myapp/webhooks/{ID}", WEBHOOK)
    assert "Dropped:" in senryu("webhooks:info", ID, "-a", "myapp").out


def test_a_webhook_is_added_changed_and_removed(api: FakeApi, senryu: Senryu) -> None:
    api.on("POST /apps/myapp/webhooks", WEBHOOK, 201, headers={"Heroku-Webhook-Secret": "0123abcd"})
    added = senryu("webhooks:add", "-i", "api:app, dyno", "-l", "sync", "-u", "https://example.com/hooks", "-a", "myapp")
    assert "0123abcd" in added.out
    asked = api.asked("POST /apps/myapp/webhooks")[0]
    assert asked.json == {"include": ["api:app", "dyno"], "level": "sync", "url": "https://example.com/hooks"}
    assert asked.headers["Accept"].endswith("version=3.webhooks")
    assert "A webhook needs --level and --url" in senryu("webhooks:add", "-i", "api:app", "-a", "myapp").err
    api.on(f"PATCH /apps/myapp/webhooks/{ID}", WEBHOOK)
    assert senryu("webhooks:update", ID, "-l", "notify", "-a", "myapp").status == 0
    assert api.asked(f"PATCH /apps/myapp/webhooks/{ID}")[0].json == {"level": "notify"}
    assert senryu("webhooks:update", ID, "-a", "myapp").status == 1
    api.on(f"DELETE /apps/myapp/webhooks/{ID}", WEBHOOK)
    assert senryu("webhooks:remove", ID, "-a", "myapp").status == 0


def test_deliveries_and_events_are_shown(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/webhook-deliveries", [DELIVERY])
    out = senryu("webhooks:deliveries", "-a", "myapp").out
    assert "retrying" in out
    assert "500" in out
    assert api.asked("GET /apps/myapp/webhook-deliveries")[0].headers["Range"] == "seq ..; order=desc,max=1000"
    api.on(f"GET /apps/myapp/webhook-deliveries/{ID}", DELIVERY)
    api.on("GET /apps/myapp/webhook-events/e1", EVENT)
    assert '"resource": "app"' in senryu("webhooks:deliveries:info", ID, "-a", "myapp").out
    assert '"action": "update"' in senryu("webhooks:events:info", "e1", "-a", "myapp").out
    api.on("GET /apps/myapp/webhook-events", [EVENT])
    assert "update" in senryu("webhooks:events", "-a", "myapp").out
    for path in ("webhook-deliveries", "webhook-events"):
        api.on(f"GET /apps/myapp/{path}", [])
    assert "has no deliveries" in senryu("webhooks:deliveries", "-a", "myapp").out
    assert "has no events" in senryu("webhooks:events", "-a", "myapp").out


def test_a_login_sends_the_code_when_it_is_asked_for(stranger: FakeApi, senryu: Senryu) -> None:
    stranger.error("POST /oauth/authorizations", 403, "two_factor", "Two-factor code required.")
    result = senryu("login", "--email", EMAIL, "--password-stdin", stdin="word\n123456\n")
    assert (result.status, result.err.splitlines()[0]) == (2, "error: Two-factor code required.")
    first, second = stranger.asked("POST /oauth/authorizations")
    assert "Heroku-Two-Factor-Code" not in first.headers
    assert second.headers["Heroku-Two-Factor-Code"] == "123456"
    assert first.headers["Authorization"] == second.headers["Authorization"]
    result = senryu("login", "--email", EMAIL, "--password-stdin", stdin="word\n")
    assert result.err.splitlines()[0] == "error: A two-factor code is needed"


def test_the_second_factor_is_shown_ended_and_reset(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /senryu/two-factor", {"enabled": True, "recovery_codes_left": 9})
    shown = senryu("auth:2fa")
    assert shown.out == "Two-factor authentication is enabled\n"
    assert "9 recovery codes are left" in shown.err
    api.on("DELETE /senryu/two-factor", {"enabled": False})
    assert senryu("2fa:disable", "--code-stdin", stdin="123456\n").status == 0
    assert api.asked("DELETE /senryu/two-factor")[0].headers["Heroku-Two-Factor-Code"] == "123456"
    assert senryu("2fa:disable").status == 1
    api.on("POST /senryu/two-factor/recovery-codes", {"recovery_codes": ["a-b", "c-d"]}, 201)
    assert "a-b\nc-d\n" in senryu("2fa:recovery-codes", "--code-stdin", stdin="123456\n").out
    api.on("POST /senryu/two-factor/resets", {"email": EMAIL})
    assert senryu("2fa:reset", EMAIL).status == 0
    assert api.asked("POST /senryu/two-factor/resets")[0].json == {"email": EMAIL}
    assert TOKEN not in shown.out
