"""What each resource looks like in an answer, in the notation of `notation.py`. Every field is always there.

Names, kinds and nullability are those of Heroku's published schema, with what its command line reads beyond it, and what is ours.
"""

from __future__ import annotations

_APP = "{id:uuid name:text}"
_TIMES = "created_at:moment updated_at:moment"
_PERSON = "{email:text id:uuid}"
_STACK = "{id:uuid name:text}"
_ACCESS = "{expires_in?:integer id:uuid token:text}"
_PERMISSIONS = "[{name:view|deploy|operate|manage description:text}]"
_ROLE = "admin|member|viewer|collaborator|owner"

_WHOLE_APP = f"""
    {_TIMES} acm:boolean archived_at?:moment build_stack:{_STACK} buildpack_provided_description?:text create_status:text
    generation:{{name:text}} git_url:text id:uuid internal_routing?:boolean locked:boolean maintenance:boolean name:text
    organization?:{_APP} owner:{_PERSON} process_tier:text region:{_APP} released_at?:moment repo_size?:integer slug_size?:integer
    space?:{{id:uuid name:text shield:boolean}} stack:{_STACK} team?:{_APP} web_url?:uri
"""
_ACCOUNT = f"""
    {_TIMES} allow_tracking:boolean beta:boolean country_of_residence?:text default_organization?:{_APP} default_team?:{_APP}
    delinquent_at?:moment email:text federated:boolean id:uuid identity_provider?:object last_login?:moment name?:text sms_number?:text
    suspended_at?:moment two_factor_authentication:boolean verified:boolean is_operator:boolean
"""
_FEATURE = f"{_TIMES} description:text display_name:text doc_url:uri enabled:boolean feedback_email:text id:uuid name:text state:text"
_COLLABORATOR = f"""
    {_TIMES} app:{_APP} id:uuid permissions:{_PERMISSIONS} role?:{_ROLE} user:{{email:text federated:boolean id:uuid}}
"""

_CREDENTIAL = "provisioning|active|rotating|wait_for_deprovision"
_PRICE = "{cents:integer contract:boolean metered:boolean unit:text}"
_INVOICE = f"""
    {_TIMES} charges_total:number credits_total:number id:uuid number:integer period_end:text period_start:text state:number total:number
"""
_SERVICE = f"""
    cli_plugin_name?:text {_TIMES} human_name:text id:uuid name:text state:alpha|beta|ga|shutdown
    supports_multiple_installations:boolean supports_sharing:boolean
"""
_PLAN = f"""
    addon_service:{_APP} compliance?:[text] {_TIMES} default:boolean description:text human_name:text id:uuid
    installable_inside_private_network:boolean installable_outside_private_network:boolean name:text price:{_PRICE}
    space_default:boolean state:text visible:boolean
"""

RESOURCES = {
    "account": _ACCOUNT,
    "registration": _ACCOUNT + " access_token:{token:text}",
    "account-feature": _FEATURE,
    "invoice": _INVOICE,
    "team-invoice": _INVOICE + " addons_total:number database_total:number dyno_units:number payment_status:text platform_total:number"
    " weighted_dyno_hours:number",
    "statement": _INVOICE + " month:text lines:[{app?:" + _APP + " cents:integer kind:dyno|add-on|pool name:text price_cents:integer"
    " seconds:integer size:text}]",
    "account-quota": "account_quota:integer apps:[{app_uuid:uuid quota_used:integer}] month:text quota_used:integer size:text",
    "add-on": f"""
        {_TIMES} actions:[object] addon_service:{{{_SERVICE}}} app:{_APP} billed_price?:{_PRICE}
        billing_entity:{{id:uuid name:text type:app|team}}
        config_vars:[text] id:uuid name:text plan:{{{_PLAN}}} provider_id:text provision_message?:text
        state:provisioning|provisioned|deprovisioning|deprovisioned web_url?:uri
    """,
    "add-on-attachment": f"""
        {_TIMES} addon:{{app:{_APP} id:uuid name:text plan:{_APP}}} app:{_APP} config_vars:[text] id:uuid log_input_url?:uri name:text
        namespace?:text web_url?:uri
    """,
    "add-on-service": _SERVICE,
    "app": _WHOLE_APP,
    "app-feature": _FEATURE,
    "transfer": f"""
        canceled_at?:moment {_TIMES} finished_at?:moment from_name:text from_type:text from_url?:text
        logs:[{{created_at:text message:text}}] num:integer options:object processed_bytes:integer schedule?:{{name:text}}
        source_bytes:integer started_at?:moment succeeded?:boolean to_name:text to_type:text to_url?:text uuid:uuid warnings:integer
    """,
    "transfer-schedule": "hour:integer name:text timezone:text uuid:uuid",
    "database": """
        addon_id:uuid created_at:moment database_name:text database_user:text following?:text forked_from?:text
        info:[object] leader?:text name:text num_bytes:integer num_connections:integer num_tables:integer plan:text port:integer
        postgres_version:text resource_url:uri
    """,
    "credential": f"created_at:moment credentials:[object] database:text host:text name:text port:integer state:{_CREDENTIAL} uuid:uuid",
    "app-transfer": f"{_TIMES} app:{_APP} id:uuid owner:{_PERSON} recipient:{_PERSON} state:pending|accepted|declined",
    "app-webhook": f"{_TIMES} app:{_APP} dropped:integer id:uuid include:[text] level:notify|sync url:text",
    "app-webhook-delivery": f"""
        {_TIMES} event:{{id:uuid include:text}} id:uuid last_attempt?:{{code?:integer {_TIMES} error_class?:text id:uuid
        status:scheduled|succeeded|failed}} next_attempt_at?:moment num_attempts:integer seq:integer
        status:pending|scheduled|retrying|failed|succeeded webhook:{{id:uuid level:notify|sync}}
    """,
    "app-webhook-event": f"{_TIMES} id:uuid include:text payload:object",
    "build": f"""
        {_TIMES} app:{{id:uuid}} buildpacks:[{{name:text url:text}}] failure?:text id:uuid output_stream_url:uri release?:{{id:uuid}}
        slug?:{{id:uuid}} source_blob:{{checksum?:text url:text version?:text version_description?:text}} stack:text
        status:pending|succeeded|failed user:{_PERSON}
    """,
    "buildpack-installation": "ordinal:integer buildpack:{name:text url:text}",
    "buildpack": f"""
        {_TIMES} blob_url:uri category:text description:text id:uuid name:text namespace:text source:{{type:text owner:text repo:text}}
        support:{{method:text address:text}}
    """,
    "buildpack-revision": f"{_TIMES} release:integer status:text license:text buildpack_id:uuid id:uuid",
    "collaborator": _COLLABORATOR,
    "config-vars": "texts",
    "domain": f"""
        {_TIMES} acm_status?:text acm_status_reason?:text app:{_APP} cname?:text hostname:text id:uuid kind:heroku|custom
        sni_endpoint?:{_APP} status:none|pending|succeeded|failed
    """,
    "dyno": f"""
        {_TIMES} app:{_APP} attach_url?:text command:text exit_code?:integer extended?:object id:uuid name:text
        release:{{id:uuid version:integer}} size:text state:text type:text stdin*:text terminal_id*:uuid
    """,
    "dyno-size": """
        architecture:text compute:integer cost?:{cents:integer unit:text} dedicated:boolean dyno_units:integer
        generation:{id:uuid name:text} id:uuid memory:number name:text precise_dyno_units:number private_space_only:boolean
        cpu_shares:integer is_exclusive:boolean is_offered:boolean is_restricted:boolean memory_bytes:integer one_offs_max:integer
        per_type_max:integer pids:integer pool_hours:integer running_max:integer sleeps_after_s:integer verified_pool_hours:integer
    """,
    "formation": f"{_TIMES} app:{_APP} command:text docker_image?:text id:uuid quantity:integer size:text type:text",
    "key": f"{_TIMES} comment:text email:text fingerprint:text id:uuid public_key:text",
    "log-drain": f"{_TIMES} addon?:{{app:{_APP} id:uuid name:text}} app?:{_APP} extended?:object id:uuid token:text url:text",
    "log-session": f"{_TIMES} id:uuid logplex_url:uri",
    "oauth-authorization": f"""
        {_TIMES} access_token?:{_ACCESS} client?:{{id:uuid name:text redirect_uri:text}} description:text
        grant?:{{code:text expires_in:integer id:uuid}} id:uuid refresh_token?:{_ACCESS}
        scope:[global|identity|read|write|read-protected|write-protected] session?:{{id:uuid}}
        user:{{email:text full_name?:text id:uuid}}
    """,
    "oauth-client": f"{_TIMES} id:uuid ignores_delinquent?:boolean name:text redirect_uri:text secret:text",
    "oauth-session": f"{_TIMES} description:text expires_in?:integer id:uuid",
    "plan": _PLAN,
    "permission": "name:view|deploy|operate|manage description:text",
    "rate-limit": "remaining:integer",
    "region": f"""
        {_TIMES} country:text description:text id:uuid locale:text name:text private_capable:boolean provider:{{name:text region:text}}
    """,
    "release": f"""
        {_TIMES} addon_plan_names:[text] app:{_APP} artifacts:[{{id:uuid type:text}}] current:boolean description:text
        eligible_for_rollback:boolean failure?:text id:uuid oci_image?:{{id:uuid}} output_stream_url?:uri slug?:{{id:uuid}}
        status:pending|succeeded|failed|expired timing?:object user:{_PERSON} version:integer
    """,
    "scheduler-job": f"""
        {_TIMES} addon:{{id:uuid}} app:{_APP} at?:text command:text every:text id:uuid last_due_at?:moment last_outcome?:text
        next_due_at:moment size?:text
    """,
    "slug": f"""
        {_TIMES} blob:{{method:text url:uri}} buildpack_provided_description?:text checksum?:text commit?:text commit_description?:text
        id:uuid process_types:texts size?:integer stack:{_STACK}
    """,
    "sni-endpoint": f"""
        {_TIMES} app:{_APP} certificate_chain:text display_name?:text domains:[uuid] id:uuid name:text ssl_cert:{{acm:boolean
        ca_signed~:boolean cert_domains:[text] expires_at:moment id:uuid issuer:text self_signed~:boolean starts_at:moment subject:text}}
    """,
    "source": "source_blob:{get_url:uri put_url:uri}",
    "stack": f"{_TIMES} default:boolean id:uuid name:text state:text",
    "traded-token": "access_token:text expires_in:integer refresh_token:text session_nonce?:text token_type:text user_id:uuid",
    "team": f"""
        {_TIMES} credit_card_collections:boolean default:boolean enterprise_account?:{_APP} id:uuid identity_provider?:object
        membership_limit?:integer name:text provisioned_licenses:boolean role?:{_ROLE} type:team|enterprise
    """,
    "team-app": f"{_WHOLE_APP} joined:boolean",
    "team-member": f"""
        {_TIMES} email:text federated:boolean id:uuid identity_provider?:object role?:{_ROLE} two_factor_authentication:boolean
        user:{{email:text id:uuid name?:text}}
    """,
}
