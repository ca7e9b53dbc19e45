"""Heroku's JSON objects, with the fields and forms of the official schema."""

from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from local.heroku.apps import App
from local.heroku.releases import Release, Status
from local.heroku.world import ACCOUNT


def timestamp(at: datetime) -> str:
    """Heroku's precision: whole seconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _named(kind: str, name: str) -> dict[str, str]:
    return {"id": str(uuid5(NAMESPACE_URL, f"{kind}:{name}")), "name": name}


def user(email: str) -> dict[str, str]:
    """Show a user in brief; the same email always has the same id."""
    return {"id": str(uuid5(NAMESPACE_URL, f"mailto:{email}")), "email": email}


def account(created_at: datetime) -> dict[str, object]:
    """Show the simulator's account."""
    return {
        **user(ACCOUNT),
        "allow_tracking": False,
        "beta": False,
        "country_of_residence": None,
        "created_at": timestamp(created_at),
        "default_organization": None,
        "default_team": None,
        "delinquent_at": None,
        "federated": False,
        "identity_provider": None,
        "last_login": None,
        "name": "Local Operator",
        "sms_number": None,
        "suspended_at": None,
        "two_factor_authentication": True,
        "updated_at": timestamp(created_at),
        "verified": True,
    }


def app(it: App) -> dict[str, object]:
    """Show an app."""
    latest = it.releases[-1]
    return {
        "acm": False,
        "archived_at": None,
        "build_stack": _named("stack", "heroku-24"),
        "buildpack_provided_description": "Python",
        "created_at": timestamp(it.created_at),
        "git_url": f"https://git.heroku.com/{it.name}.git",
        "id": it.id,
        "maintenance": False,
        "name": it.name,
        "organization": None,
        "owner": user(ACCOUNT),
        "region": _named("region", "us"),
        "released_at": timestamp(latest.created_at),
        "repo_size": 0,
        "slug_size": 0,
        "space": None,
        "stack": _named("stack", "heroku-24"),
        "team": None,
        "updated_at": timestamp(latest.updated_at),
        "web_url": f"https://{it.name}.herokuapp.com/",
    }


def release(it: Release, of: App) -> dict[str, object]:
    """Show a release."""
    return {
        "addon_plan_names": [],
        "app": {"id": of.id, "name": of.name},
        "artifacts": [{"id": it.slug, "type": "slug"}] if it.slug else [],
        "created_at": timestamp(it.created_at),
        "current": it.version == of.current.version,
        "description": it.description,
        "eligible_for_rollback": of.is_eligible_for_rollback(it),
        "id": it.id,
        "output_stream_url": (
            f"https://release-output.heroku.com/streams/{it.id}" if it.had_phase else None
        ),
        "slug": {"id": it.slug} if it.slug and it.status is not Status.EXPIRED else None,
        "status": it.status,
        "updated_at": timestamp(it.updated_at),
        "user": user(it.user),
        "version": it.version,
    }
