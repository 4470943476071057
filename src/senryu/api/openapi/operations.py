"""Every operation: what it answers when all is well, and what it takes after `<`.

`200 #app` is a resource, `200 [#app]` a list that pages by Range, `200 =[#x]` one that does not. `-` answers refusals only.
`text/html` and the like are other media types, `200+303` may lead elsewhere.
"""

from __future__ import annotations

_TABLE = """
GET    /account 200 #account
PATCH  /account 200 #account < name:text password:text new_password:text
GET    /users/~ 200 #account
GET    /account/rate-limits 200 #rate-limit
GET    /account/features 200 [#account-feature]
GET    /account/features/{feature} 200 #account-feature
PATCH  /account/features/{feature} 200 #account-feature < enabled!:boolean
GET    /account/keys 200 [#key]
POST   /account/keys 201 #key < public_key!:text
GET    /account/keys/{key} 200 #key
DELETE /account/keys/{key} 200 #key
GET    /account/app-transfers 200 [#app-transfer]
POST   /account/app-transfers 201 #app-transfer < app!:relation recipient!:relation silent:boolean
GET    /account/app-transfers/{transfer} 200 #app-transfer
PATCH  /account/app-transfers/{transfer} 200 #app-transfer < state!:accepted|declined
DELETE /account/app-transfers/{transfer} 200 #app-transfer

GET    /oauth/authorizations 200 [#oauth-authorization]
POST   /oauth/authorizations 201 #oauth-authorization < description?:text expires_in?:integer scope?:[text] client:any
GET    /oauth/authorizations/~ -
GET    /oauth/authorizations/{id} 200 #oauth-authorization
PATCH  /oauth/authorizations/{id} 200 #oauth-authorization < description:text client:any
DELETE /oauth/authorizations/{id} 200 #oauth-authorization
POST   /oauth/authorizations/{id}/actions/regenerate-tokens 200 #oauth-authorization
GET    /oauth/clients 200 [#oauth-client]
POST   /oauth/clients 201 #oauth-client < name!:text redirect_uri!:text
GET    /oauth/clients/{id} 200 #oauth-client
PATCH  /oauth/clients/{id} 200 #oauth-client < name:text redirect_uri:text
DELETE /oauth/clients/{id} 200 #oauth-client
POST   /oauth/clients/{id}/actions/rotate-credentials 200 #oauth-client
GET    /oauth/sessions 200 [#oauth-session]
DELETE /oauth/sessions/{id} 200 #oauth-session
DELETE /oauth/sessions/~ 200 #oauth-authorization
GET    /oauth/authorize 200+303 text/html
POST   /oauth/authorize 200+303 text/html
POST   /oauth/token 200 #traded-token < grant_type!:text code:text client_secret:text client_id:text redirect_uri:text refresh_token:text
POST   /auth 201 {browser_url:text cli_url:text token:text} < description:text
GET    /auth/browser/{id} 200 text/html
POST   /auth/browser/{id} 200 text/html
GET    /auth/cli/{id} 200 application/vnd.heroku+json

GET    /apps 200 [#app]
POST   /apps 201 #app < name?:text region:relation stack:relation
GET    /users/{user}/apps 200 [#app]
POST   /filters/apps 200 [#app] < in!:{id!:[text]}
GET    /apps/{app} 200 #app
PATCH  /apps/{app} 200 #app < name?:text maintenance?:boolean build_stack:relation
DELETE /apps/{app} 200 #app
GET    /apps/{app}/builds 200 [#build]
POST   /apps/{app}/builds 201 #build < source_blob!:{url!:text version?:text version_description?:text}
GET    /apps/{app}/builds/{id} 200 #build
DELETE /apps/{app}/builds/{id} 200 #build
DELETE /apps/{app}/build-cache 200 {}
POST   /apps/{app}/sources 201 #source
POST   /sources 201 #source
POST   /apps/{app}/slugs 201 #slug < process_types!:texts commit?:text buildpack_provided_description?:text
GET    /apps/{app}/slugs/{id} 200 #slug
GET    /apps/{app}/releases 200 [#release]
POST   /apps/{app}/releases 201 #release < release:relation slug:relation description?:text
GET    /apps/{app}/releases/{release} 200 #release
GET    /apps/{app}/releases/{release}/config-vars 200 #config-vars
GET    /apps/{app}/config-vars 200 #config-vars
PATCH  /apps/{app}/config-vars 200 #config-vars < any
GET    /apps/{app}/formation 200 [#formation]
PATCH  /apps/{app}/formation 200 =[#formation] < updates!:[{type!:text quantity:any size:relation}]
GET    /apps/{app}/formation/{type} 200 #formation
PATCH  /apps/{app}/formation/{type} 200 #formation < quantity:any size:relation
GET    /apps/{app}/dynos 200 [#dyno]
POST   /apps/{app}/dynos 201 #dyno < command!:text attach:boolean env:texts size:relation type:text force_no_tty:boolean
GET    /apps/{app}/dynos/{dyno} 200 #dyno
POST   /apps/{app}/dynos/{dyno} 201 #dyno < command!:text env:texts force_no_tty:boolean
DELETE /apps/{app}/dynos 202 {}
DELETE /apps/{app}/dynos/{dyno} 202 {}
DELETE /apps/{app}/formations/{dyno} 202 {}
POST   /apps/{app}/dynos/{dyno}/actions/stop 202 {}
POST   /apps/{app}/formations/{dyno}/actions/stop 202 {}
POST   /apps/{app}/dynos/{dyno}/actions/resize 202 {} < columns:integer lines:integer terminal_id:text
GET    /apps/{app}/domains 200 [#domain]
POST   /apps/{app}/domains 201 #domain < hostname!:text sni_endpoint:relation
GET    /apps/{app}/domains/{hostname} 200 #domain
PATCH  /apps/{app}/domains/{hostname} 200 #domain < sni_endpoint:relation
DELETE /apps/{app}/domains/{hostname} 200 #domain
GET    /apps/{app}/sni-endpoints 200 [#sni-endpoint]
POST   /apps/{app}/sni-endpoints 201 #sni-endpoint < certificate_chain!:text private_key!:text display_name:text
GET    /apps/{app}/sni-endpoints/{name} 200 #sni-endpoint
PATCH  /apps/{app}/sni-endpoints/{name} 200 #sni-endpoint < certificate_chain:text private_key:text display_name:text
DELETE /apps/{app}/sni-endpoints/{name} 200 #sni-endpoint
POST   /apps/{app}/acm 200 #app
PATCH  /apps/{app}/acm 200 #app < acm_refresh:boolean
DELETE /apps/{app}/acm 200 #app
GET    /apps/{app}/scheduler/jobs 200 [#scheduler-job]
POST   /apps/{app}/scheduler/jobs 201 #scheduler-job < command!:text every!:text at?:text size:relation
GET    /apps/{app}/scheduler/jobs/{job} 200 #scheduler-job
PATCH  /apps/{app}/scheduler/jobs/{job} 200 #scheduler-job < command:text every:text at?:text size:relation
DELETE /apps/{app}/scheduler/jobs/{job} 200 #scheduler-job
GET    /apps/{app}/log-drains 200 [#log-drain]
POST   /apps/{app}/log-drains 201 #log-drain < url!:text
GET    /apps/{app}/log-drains/{drain:path} 200 #log-drain
DELETE /apps/{app}/log-drains/{drain:path} 200 #log-drain
POST   /apps/{app}/log-sessions 201 #log-session < lines?:integer source?:text dyno?:text dyno_name?:text type?:text tail?:boolean
GET    /apps/{app}/webhooks 200 [#app-webhook]
POST   /apps/{app}/webhooks 201 #app-webhook < url!:text include!:[text] level!:notify|sync secret?:text authorization?:text
GET    /apps/{app}/webhooks/{webhook} 200 #app-webhook
PATCH  /apps/{app}/webhooks/{webhook} 200 #app-webhook < url?:text include:any level?:text secret?:text authorization?:text
DELETE /apps/{app}/webhooks/{webhook} 200 #app-webhook
GET    /apps/{app}/webhook-deliveries 200 [#app-webhook-delivery]
GET    /apps/{app}/webhook-deliveries/{delivery} 200 #app-webhook-delivery
GET    /apps/{app}/webhook-events 200 [#app-webhook-event]
GET    /apps/{app}/webhook-events/{event} 200 #app-webhook-event
GET    /apps/{app}/features 200 [#app-feature]
GET    /apps/{app}/features/{feature} 200 #app-feature
PATCH  /apps/{app}/features/{feature} 200 #app-feature < enabled!:boolean
GET    /apps/{app}/buildpack-installations 200 =[#buildpack-installation]
PUT    /apps/{app}/buildpack-installations 200 =[#buildpack-installation] < updates!:[{buildpack!:text}]
GET    /apps/{app}/collaborators 200 [#collaborator]
POST   /apps/{app}/collaborators 201 #collaborator < user!:relation silent:boolean
GET    /apps/{app}/collaborators/{email} 200 #collaborator
DELETE /apps/{app}/collaborators/{email} 200 #collaborator

GET    /teams 200 [#team]
POST   /teams 201 #team < name!:text
GET    /teams/permissions 200 =[#permission]
GET    /teams/{team} 200 #team
PATCH  /teams/{team} 200 #team < name?:text
DELETE /teams/{team} 200 #team
GET    /teams/{team}/members 200 [#team-member]
PUT    /teams/{team}/members 200 #team-member < email!:text role!:admin|member|viewer|collaborator
PATCH  /teams/{team}/members 200 #team-member < email!:text role!:admin|member|viewer|collaborator
DELETE /teams/{team}/members/{email} 200 #team-member
GET    /teams/{team}/features 200 [#app-feature]
GET    /teams/{team}/features/{feature} -
GET    /teams/{team}/invitations 200 [object]
PUT    /teams/{team}/invitations -
GET    /teams/{team}/addons 200 [object]
GET    /teams/{team}/usage 200 {id:uuid name:text apps:[object]}
GET    /teams/{team}/apps 200 [#team-app]
GET    /teams/apps 200 [#team-app]
POST   /teams/apps 201 #team-app < name?:text team:relation stack:relation region:relation locked?:boolean
GET    /teams/apps/{app} 200 #team-app
PATCH  /teams/apps/{app} 200 #team-app < owner:relation locked?:boolean
GET    /teams/apps/{app}/collaborators 200 [#collaborator]
POST   /teams/apps/{app}/collaborators 201 #collaborator < user!:relation permissions?:[text] silent:boolean
GET    /teams/apps/{app}/collaborators/{email} 200 #collaborator
PATCH  /teams/apps/{app}/collaborators/{email} 200 #collaborator < permissions!:[view|deploy|operate|manage]
DELETE /teams/apps/{app}/collaborators/{email} 200 #collaborator

GET    /regions 200 [#region]
GET    /regions/{region} 200 #region
GET    /dyno-sizes 200 [#dyno-size]
GET    /dyno-sizes/{size} 200 #dyno-size
GET    /stacks 200 [#stack]
GET    /stacks/{stack} 200 #stack
GET    /api/v4/current-status 200 {status:[{system:text status:text}] incidents:[object] scheduled:[object]}
GET    /buildpacks 200 =[#buildpack]
GET    /buildpacks/{namespace}/{name} 200 #buildpack
GET    /buildpacks/{namespace}/{name}/revisions 200 =[#buildpack-revision]
GET    /buildpacks/{namespace}/{name}/readme 200 {content:text encoding:text}

GET    /addons 200 [#add-on]
GET    /addon-attachments 200 [#add-on-attachment]
GET    /addon-services 200 [#add-on-service]
GET    /apps/{app}/addons 200 [#add-on]
GET    /apps/{app}/addon-attachments 200 [#add-on-attachment]
GET    /apps/{app}/usage 200 {id:uuid addons:[object]}
POST   /apps/{app}/addons 201 #add-on < plan!:relation name:text attachment:{name:text} config:object confirm:text
POST   /addon-attachments 201 #add-on-attachment < addon!:relation app!:relation name:text confirm:text namespace:text
GET    /addons/{addon} 200 #add-on
GET    /addons/{addon}/config 200 =[{name:text value:text}]
PATCH  /addons/{addon}/config 200 =[{name:text value:text}] < config!:[object]
POST   /addons/{addon}/actions/provision 200 #add-on
POST   /addons/{addon}/actions/deprovision 200 #add-on
GET    /apps/{app}/addons/{addon}/sso 200 {method:text action:text params:object}
GET    /senryu/objects 200 =[object]
GET    /addons/{addon}/objects 200 object
GET    /senryu/partners 200 =[{name:text human_name:text base_url:text plans:[text]}]
POST   /senryu/partners 201 {name:text human_name:text base_url:text plans:[text] client_id:uuid client_secret:text} < id!:text name:text api!:object plans:[object]
DELETE /senryu/partners/{name} 200 {name:text}
GET    /senryu/sso/{account}/{token} 200 text/html
GET    /addons/{addon}/addon-attachments 200 [#add-on-attachment]
GET    /addon-attachments/{addon} 200 #add-on-attachment
DELETE /addon-attachments/{addon} 200 #add-on-attachment
GET    /apps/{app}/addons/{addon} 200 #add-on
PATCH  /apps/{app}/addons/{addon} 200 #add-on < plan:relation name:text
DELETE /apps/{app}/addons/{addon} 200 #add-on < force:boolean
GET    /apps/{app}/addon-attachments/{addon} 200 #add-on-attachment
GET    /addon-services/{service} 200 #add-on-service
GET    /addon-services/{service}/plans 200 [#plan]
POST   /actions/addons/resolve 200 =[#add-on] < addon!:relation app:relation
POST   /actions/addon-attachments/resolve 200 =[#add-on-attachment] < addon_attachment!:relation app:relation
GET    /redis/v0/databases/{name} 200 {addon_id:uuid created_at:moment name:text plan:text resource_url:text prefer_native_tls:boolean info:[object]}
GET    /redis/v0/databases/{name}/wait 200 {waiting~:boolean message:text}
POST   /redis/v0/databases/{name}/credentials_rotation 200 {message:text}
GET    /redis/v0/databases/{name}/config 200 object
PATCH  /redis/v0/databases/{name}/config 200 object < maxmemory_policy:text timeout:integer notify_keyspace_events:text
POST   /redis/v0/databases/{name}/stats/reset 200 {message:text}
POST   /redis/v0/databases/{name}/wires 201 {attach_url:text}
POST   /redis/v0/databases/{name}/upgrade 200 {message:text} < version!:text
GET    /client/v11/apps/{app}/transfers 200 =[#transfer]
GET    /client/v11/apps/{app}/transfers/{transfer} 200 =#transfer
DELETE /client/v11/apps/{app}/transfers/{transfer} 200 =#transfer
POST   /client/v11/apps/{app}/transfers/{transfer}/actions/cancel 200 =#transfer
POST   /client/v11/apps/{app}/transfers/{transfer}/actions/public-url 200 =object
GET    /client/v11/databases/{database} 200 #database
GET    /client/v11/databases/{database}/wait_status 200 {waiting~:boolean error~:boolean message:text}
GET    /client/v11/databases/{database}/upgrade/wait_status 200 object
POST   /client/v11/databases/{database}/upgrade/{action} - < version:text
PUT    /client/v11/databases/{database}/reset 200 {message:text} < extensions:[text]
POST   /client/v11/databases/{database}/connection_reset 200 {message:text}
PUT    /client/v11/databases/{database}/stats_reset 200 {message:text}
PUT    /client/v11/databases/{database}/unfollow 200 {message:text}
GET    /client/v11/databases/{database}/metrics 200 =[object]
GET    /client/v11/databases/{database}/burst_status 200 object
GET    /client/v11/databases/{database}/links 200 =[object]
POST   /client/v11/databases/{database}/wires 201 {attach_url:text}
GET    /postgres/v0/databases/{database}/credentials 200 =[#credential]
POST   /postgres/v0/databases/{database}/credentials 201 #credential < name!:text
GET    /postgres/v0/databases/{database}/credentials/{name} 200 #credential
DELETE /postgres/v0/databases/{database}/credentials/{name} 200 {message:text}
POST   /postgres/v0/databases/{database}/credentials/{name}/credentials_rotation 200 {message:text} < forced:boolean
POST   /postgres/v0/databases/{database}/credentials_rotation 200 {message:text} < forced:boolean
POST   /postgres/v0/databases/{database}/repair-default 200 {message:text}
GET    /postgres/v0/databases/{database}/config 200 object
PATCH  /postgres/v0/databases/{database}/config 200 object < any
GET    /addons/{addon}/config/{namespace} 200 =[object]
POST   /reports 201 object < any
GET    /reports/{report} 200 object
POST   /client/v11/databases/{database}/backups 201 =#transfer
POST   /client/v11/databases/{database}/restores 201 =#transfer < backup_url!:text extensions:any
POST   /client/v11/databases/{database}/transfers 201 =#transfer < from_url!:text to_url!:text from_name:text to_name:text
GET    /client/v11/databases/{database}/transfer-schedules 200 =[#transfer-schedule]
POST   /client/v11/databases/{database}/transfer-schedules 201 =#transfer-schedule < hour!:any timezone:text schedule_name:text
DELETE /client/v11/databases/{database}/transfer-schedules/{schedule} 200 =#transfer-schedule
GET    /pipelines 200 [object]
GET    /pipelines/{pipeline} -
GET    /pipelines/{pipeline}/{part} -
GET    /apps/{app}/pipeline-couplings -
GET    /apps/{app}/review-app -
POST   /pipelines -
POST   /pipeline-couplings -
POST   /pipeline-promotions -
POST   /review-apps -
POST   /test-runs -
GET    /spaces 200 [object]
POST   /spaces -
GET    /spaces/{space} -
PATCH  /spaces/{space} -
DELETE /spaces/{space} -
GET    /spaces/{space}/{part} -
GET    /apps/{app}/telemetry-drains 200 [object]
POST   /telemetry-drains -
GET    /telemetry-drains/{drain} -
PATCH  /telemetry-drains/{drain} -
DELETE /telemetry-drains/{drain} -
GET    /api/v2 200 =[{dyno_name:text}]
PUT    /api/v2/{dyno} -

GET    /.well-known/acme-challenge/{token} 200 text/plain
GET    /openapi.json 200 object
GET    /schema 200 object
GET    /senryu/ca.pem 200 application/x-pem-file
GET    /senryu/doors 200 {domain:text port:integer rendezvous_port:integer tls_port:integer}
GET    /senryu/health 200 {status:text}
POST   /senryu/registrations 201 #registration < email!:text password!:text name?:text invitation?:text
POST   /senryu/invitations 201 {email:text invitation:text} < email!:text
PATCH  /senryu/registration 200 {open:boolean} < open!:boolean
GET    /senryu/two-factor 200 {enabled:boolean recovery_codes_left:integer}
POST   /senryu/two-factor 201 {enabled:boolean secret:text provisioning_uri:text} < password!:text
PATCH  /senryu/two-factor 200 {enabled:boolean recovery_codes:[text]} < code!:text
DELETE /senryu/two-factor 200 {enabled:boolean}
POST   /senryu/two-factor/recovery-codes 201 {enabled:boolean recovery_codes:[text]}
POST   /senryu/two-factor/resets 200 {email:text enabled:boolean} < email!:text
GET    /accounts/{account}/actions/get-quota 200 #account-quota
GET    /account/invoices 200 [#invoice]
GET    /account/invoices/{number} 200 #invoice
GET    /teams/{team}/invoices 200 [#team-invoice]
GET    /teams/{team}/invoices/{number} 200 #team-invoice
GET    /senryu/statements/{month} 200 #statement
GET    /senryu/data-usage 200 =object
PATCH  /senryu/accounts/{email} 200 #account < verified!:boolean
PATCH  /senryu/dyno-sizes/{size} 200 #dyno-size < any
PUT    /senryu/dyno-sizes/{size}/allowed 200 #dyno-size < allowed?:[text]
PUT    /senryu/default-dyno-size 200 #dyno-size < size!:text
POST   /senryu/stacks 201 {id:uuid name:text state:text source:text} < name!:text source!:text
PUT    /senryu/sources/{token} 200 empty < application/octet-stream
PUT    /senryu/slugs/{token} 200 empty < application/octet-stream
GET    /senryu/slugs/{token} 200 application/gzip
GET    /senryu/streams/{token} 200 text/plain
GET    /senryu/backups/{token}/{name} 200 application/octet-stream
GET    /senryu/logs/{token} 200 text/event-stream
"""  # noqa: E501 - one operation a line


def operations() -> dict[str, tuple[str, str, str]]:
    """By `METHOD /path`: the status (or `-`), what is answered, and what is taken ("" for nothing)."""
    found = {}
    for line in filter(None, map(str.strip, _TABLE.splitlines())):
        answered, _, taken = line.partition(" < ")
        method, path, status, *result = answered.split(maxsplit=3)
        found[f"{method} {path}"] = (status, result[0].strip() if result else "", taken.strip())
    return found
