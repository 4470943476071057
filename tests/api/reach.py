"""How far each route is: the permission on its app that it needs, and the narrowest scope of a token that reaches it.

`-` is a route of no one app, or one that takes no token.

Source: https://devcenter.heroku.com/articles/app-permissions, /articles/oauth#scopes
"""

from __future__ import annotations

# The scopes that reach what needs a scope; `global` reaches everything.
SCOPES_FROM: dict[str, tuple[str, ...]] = {
    "identity": ("identity", "read", "write", "read-protected", "write-protected"),
    "read": ("read", "write", "read-protected", "write-protected"),
    "write": ("write", "write-protected"),
    "read-protected": ("read-protected", "write-protected"),
    "write-protected": ("write-protected",),
    "global": (),
}

_TABLE = """
GET    /account                                             -        identity
PATCH  /account                                             -        global
GET    /account/app-transfers                               -        global
POST   /account/app-transfers                               -        global
DELETE /account/app-transfers/{transfer}                    -        global
GET    /account/app-transfers/{transfer}                    -        global
PATCH  /account/app-transfers/{transfer}                    -        global
GET    /account/features                                    -        global
GET    /account/features/{feature}                          -        global
PATCH  /account/features/{feature}                          -        global
GET    /account/keys                                        -        global
POST   /account/keys                                        -        global
DELETE /account/keys/{key}                                  -        global
GET    /account/keys/{key}                                  -        global
GET    /account/rate-limits                                 -        global
POST   /actions/addon-attachments/resolve                   -        write
POST   /actions/addons/resolve                              -        write
GET    /addon-attachments                                   -        read
POST   /addon-attachments                                   -        write
DELETE /addon-attachments/{addon}                           -        write
GET    /addon-attachments/{addon}                           -        read
GET    /addon-services                                      -        read
GET    /addon-services/{service}                            -        read
GET    /addon-services/{service}/plans                      -        read
GET    /addons                                              -        read
GET    /addons/{addon}                                      -        read
GET    /addons/{addon}/addon-attachments                    -        read
GET    /api/v2                                              -        write-protected
PUT    /api/v2/{dyno}                                       -        write-protected
GET    /api/v4/current-status                               -        -
GET    /apps                                                -        read
POST   /apps                                                -        write
DELETE /apps/{app}                                          manage   write
GET    /apps/{app}                                          view     read
PATCH  /apps/{app}                                          operate  write
DELETE /apps/{app}/acm                                      operate  write
PATCH  /apps/{app}/acm                                      operate  write
POST   /apps/{app}/acm                                      operate  write
GET    /apps/{app}/addon-attachments                        view     read
GET    /apps/{app}/addon-attachments/{addon}                view     read
GET    /apps/{app}/addons                                   view     read
POST   /apps/{app}/addons                                   deploy   write
DELETE /apps/{app}/addons/{addon}                           deploy   write
GET    /apps/{app}/addons/{addon}                           view     read
PATCH  /apps/{app}/addons/{addon}                           deploy   write
DELETE /apps/{app}/build-cache                              deploy   write
GET    /apps/{app}/buildpack-installations                  view     read
PUT    /apps/{app}/buildpack-installations                  deploy   write
GET    /apps/{app}/builds                                   view     read
POST   /apps/{app}/builds                                   deploy   write
DELETE /apps/{app}/builds/{id}                              deploy   write
GET    /apps/{app}/builds/{id}                              view     read
GET    /apps/{app}/collaborators                            view     read
POST   /apps/{app}/collaborators                            manage   write
DELETE /apps/{app}/collaborators/{email}                    manage   write
GET    /apps/{app}/collaborators/{email}                    view     read
GET    /apps/{app}/config-vars                              deploy   read-protected
PATCH  /apps/{app}/config-vars                              deploy   write-protected
GET    /apps/{app}/domains                                  view     read
POST   /apps/{app}/domains                                  operate  write
DELETE /apps/{app}/domains/{hostname}                       operate  write
GET    /apps/{app}/domains/{hostname}                       view     read
PATCH  /apps/{app}/domains/{hostname}                       operate  write
DELETE /apps/{app}/dynos                                    operate  write
GET    /apps/{app}/dynos                                    view     read
POST   /apps/{app}/dynos                                    operate  write-protected
DELETE /apps/{app}/dynos/{dyno}                             operate  write
GET    /apps/{app}/dynos/{dyno}                             view     read
POST   /apps/{app}/dynos/{dyno}                             operate  write-protected
POST   /apps/{app}/dynos/{dyno}/actions/resize              operate  write-protected
POST   /apps/{app}/dynos/{dyno}/actions/stop                operate  write-protected
GET    /apps/{app}/features                                 view     read
GET    /apps/{app}/features/{feature}                       view     read
PATCH  /apps/{app}/features/{feature}                       operate  write
GET    /apps/{app}/formation                                view     read
PATCH  /apps/{app}/formation                                operate  write
GET    /apps/{app}/formation/{type}                         view     read
PATCH  /apps/{app}/formation/{type}                         operate  write
DELETE /apps/{app}/formations/{dyno}                        operate  write
POST   /apps/{app}/formations/{dyno}/actions/stop           operate  write
GET    /apps/{app}/log-drains                               operate  read
POST   /apps/{app}/log-drains                               operate  write
DELETE /apps/{app}/log-drains/{drain:path}                  operate  write
GET    /apps/{app}/log-drains/{drain:path}                  operate  read
POST   /apps/{app}/log-sessions                             operate  write
GET    /apps/{app}/pipeline-couplings                       view     read
GET    /apps/{app}/releases                                 view     read-protected
POST   /apps/{app}/releases                                 deploy   write-protected
GET    /apps/{app}/releases/{release}                       view     read-protected
GET    /apps/{app}/releases/{release}/config-vars           deploy   read-protected
GET    /apps/{app}/review-app                               view     read
GET    /apps/{app}/scheduler/jobs                           view     read
POST   /apps/{app}/scheduler/jobs                           operate  write-protected
DELETE /apps/{app}/scheduler/jobs/{job}                     operate  write-protected
GET    /apps/{app}/scheduler/jobs/{job}                     view     read
PATCH  /apps/{app}/scheduler/jobs/{job}                     operate  write-protected
POST   /apps/{app}/slugs                                    deploy   write
GET    /apps/{app}/slugs/{id}                               deploy   read
GET    /apps/{app}/sni-endpoints                            view     read
POST   /apps/{app}/sni-endpoints                            operate  write
DELETE /apps/{app}/sni-endpoints/{name}                     operate  write
GET    /apps/{app}/sni-endpoints/{name}                     view     read
PATCH  /apps/{app}/sni-endpoints/{name}                     operate  write
POST   /apps/{app}/sources                                  deploy   write
GET    /apps/{app}/telemetry-drains                         view     read
GET    /apps/{app}/usage                                    view     read
GET    /apps/{app}/webhook-deliveries                       view     read
GET    /apps/{app}/webhook-deliveries/{delivery}            view     read
GET    /apps/{app}/webhook-events                           view     read
GET    /apps/{app}/webhook-events/{event}                   view     read
GET    /apps/{app}/webhooks                                 operate  read
POST   /apps/{app}/webhooks                                 operate  write
DELETE /apps/{app}/webhooks/{webhook}                       operate  write
GET    /apps/{app}/webhooks/{webhook}                       operate  read
PATCH  /apps/{app}/webhooks/{webhook}                       operate  write
POST   /auth                                                -        -
GET    /auth/browser/{id}                                   -        -
POST   /auth/browser/{id}                                   -        -
GET    /auth/cli/{id}                                       -        -
GET    /buildpacks                                          -        -
GET    /buildpacks/{namespace}/{name}                       -        -
GET    /buildpacks/{namespace}/{name}/readme                -        -
GET    /buildpacks/{namespace}/{name}/revisions             -        -
GET    /client/v11/apps/{app}/transfers                     view     read
GET    /dyno-sizes                                          -        read
GET    /dyno-sizes/{size}                                   -        read
POST   /filters/apps                                        -        read
GET    /oauth/authorizations                                -        global
POST   /oauth/authorizations                                -        global
DELETE /oauth/authorizations/{id}                           -        global
GET    /oauth/authorizations/{id}                           -        global
PATCH  /oauth/authorizations/{id}                           -        global
POST   /oauth/authorizations/{id}/actions/regenerate-tokens -        global
GET    /oauth/authorizations/~                              -        global
GET    /oauth/authorize                                     -        -
POST   /oauth/authorize                                     -        -
GET    /oauth/clients                                       -        global
POST   /oauth/clients                                       -        global
DELETE /oauth/clients/{id}                                  -        global
GET    /oauth/clients/{id}                                  -        global
PATCH  /oauth/clients/{id}                                  -        global
POST   /oauth/clients/{id}/actions/rotate-credentials       -        global
GET    /oauth/sessions                                      -        global
DELETE /oauth/sessions/{id}                                 -        global
DELETE /oauth/sessions/~                                    -        identity
POST   /oauth/token                                         -        -
POST   /pipeline-couplings                                  -        write
POST   /pipeline-promotions                                 -        write
GET    /pipelines                                           -        read
POST   /pipelines                                           -        write
GET    /pipelines/{pipeline}                                -        read
GET    /pipelines/{pipeline}/{part}                         -        read
GET    /regions                                             -        read
GET    /regions/{region}                                    -        read
POST   /review-apps                                         -        write
GET    /openapi.json                                       -        -
GET    /schema                                             -        -
GET    /senryu/ca.pem                                       -        -
GET    /.well-known/acme-challenge/{token}                  -        -
GET    /senryu/doors                                        -        -
GET    /senryu/health                                       -        -
POST   /senryu/invitations                                  -        global
GET    /senryu/logs/{token}                                 -        -
PUT    /senryu/default-dyno-size                            -        global
PATCH  /senryu/dyno-sizes/{size}                            -        global
PUT    /senryu/dyno-sizes/{size}/allowed                    -        global
PATCH  /senryu/registration                                 -        global
POST   /senryu/registrations                                -        -
GET    /senryu/slugs/{token}                                -        -
PUT    /senryu/slugs/{token}                                -        -
PUT    /senryu/sources/{token}                              -        -
POST   /senryu/stacks                                       -        global
GET    /senryu/streams/{token}                              -        -
DELETE /senryu/two-factor                                   -        global
GET    /senryu/two-factor                                   -        global
PATCH  /senryu/two-factor                                   -        global
POST   /senryu/two-factor                                   -        global
POST   /senryu/two-factor/recovery-codes                    -        global
POST   /senryu/two-factor/resets                            -        global
POST   /sources                                             -        write
GET    /spaces                                              -        read
POST   /spaces                                              -        write
DELETE /spaces/{space}                                      -        write
GET    /spaces/{space}                                      -        read
PATCH  /spaces/{space}                                      -        write
GET    /spaces/{space}/{part}                               -        read
GET    /stacks                                              -        read
GET    /stacks/{stack}                                      -        read
GET    /teams                                               -        read
POST   /teams                                               -        write
GET    /teams/apps                                          -        read
POST   /teams/apps                                          -        write
GET    /teams/apps/{app}                                    view     read
PATCH  /teams/apps/{app}                                    manage   write
GET    /teams/apps/{app}/collaborators                      view     read
POST   /teams/apps/{app}/collaborators                      view     write
DELETE /teams/apps/{app}/collaborators/{email}              manage   write
GET    /teams/apps/{app}/collaborators/{email}              view     read
PATCH  /teams/apps/{app}/collaborators/{email}              manage   write
GET    /teams/permissions                                   -        read
DELETE /teams/{team}                                        -        write
GET    /teams/{team}                                        -        read
PATCH  /teams/{team}                                        -        write
GET    /teams/{team}/addons                                 -        read
GET    /teams/{team}/apps                                   -        read
GET    /teams/{team}/features                               -        read
GET    /teams/{team}/features/{feature}                     -        read
GET    /teams/{team}/invitations                            -        read
PUT    /teams/{team}/invitations                            -        write
GET    /teams/{team}/members                                -        read
PATCH  /teams/{team}/members                                -        write
PUT    /teams/{team}/members                                -        write
DELETE /teams/{team}/members/{email}                        -        write
GET    /teams/{team}/usage                                  -        read
POST   /telemetry-drains                                    -        write
DELETE /telemetry-drains/{drain}                            -        write
GET    /telemetry-drains/{drain}                            -        read
PATCH  /telemetry-drains/{drain}                            -        write
POST   /test-runs                                           -        write
GET    /users/{user}/apps                                   -        read
GET    /users/~                                             -        identity
"""

_ROWS = [line.split() for line in _TABLE.strip().splitlines()]
PERMISSION = {f"{method} {route}": permission for method, route, permission, _ in _ROWS}
NARROWEST = {f"{method} {route}": scope for method, route, _, scope in _ROWS}
