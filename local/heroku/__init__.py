"""A faithful local simulator of the Heroku Platform API v3, for local runs and tests.

In a test, on a free port, in threads of this process::

    with Simulator(apps=["shop-prod"]) as simulator:
        client_under_test(simulator.url, simulator.token)
        simulator.controls.behave("shop-prod", release_phase=True, phase_seconds=30)
        simulator.controls.advance_clock(30)
        assert simulator.controls.truth("shop-prod")["patches"]

As a process, which prints one line, `heroku simulator on http://127.0.0.1:PORT`, when it answers::

    python -m local.heroku --port 0 --state .hoist/heroku.json --app shop-prod --token HRKU-...

Clients under test talk to the routes of the real API: GET and PATCH config-vars, GET and POST
releases, one release and its config-vars, an app, apps, the account and its rate limits.
Tests and demos talk to the controls, by `SimulatorControls` or by JSON under `/_simulator/`:

====== ================================= ========================================================
GET    /health                           answers when it listens
POST   /reset                            forget everything but the time
POST   /apps                             name, config? (fake secrets are added)
GET    /apps/{app}                       behaviour; stored, visible and live config; releases
DELETE /apps/{app}
PATCH  /apps/{app}/behaviour             release_phase, phase_seconds, phase_result
                                         (succeeded, failed, pending: for ever), pending_shows
                                         (old, new), failed_value (kept, dropped),
                                         same_value_releases
POST   /apps/{app}/releases/{v}/finish   result (succeeded, failed)
POST   /apps/{app}/releases/{v}/retry    a new release, "Retry of vN: ..."
POST   /apps/{app}/releases/expire       versions
POST   /apps/{app}/foreign               verb (patch, deploy, rollback), user?, changes?,
                                         commit?, version?
POST   /faults                           kind; method?, route?, app?, nth?, times? (null: for
                                         ever); seconds?, status?, error_id?, foreign?,
                                         foreign_app?
GET    /faults                           those that may still fire; DELETE disarms them all
POST   /dynos                            app, pid, grace_seconds?
GET    /dynos                            those that still run
DELETE /dynos/{pid}
PATCH  /rate-limit                       remaining?, refill_per_minute?
GET    /clock                            now, offset_seconds
POST   /clock                            advance_seconds
POST   /tokens                           token, scope?, expires_in_seconds?
POST   /tokens/revoke                    token
GET    /truth?app=                       patches, restarts, signals, requests (counts by route)
====== ================================= ========================================================

Fault kinds are in `faults.FaultKind`, scopes in `tokens.Scope`, routes' names in `routes.ROUTES`.
Where Heroku's own behaviour is unknown, `releases.Behaviour` has a switch for it.
"""

from local.heroku.client import SimulatorControls
from local.heroku.simulator import Simulator

__all__ = ["Simulator", "SimulatorControls"]
