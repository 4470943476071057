"""What Heroku's published schema lists for each resource: names, kinds, nullability (`?`) and enum values, in the API's own notation.

Source: the type declarations that Heroku publishes of its Platform API's schema (npm, `@heroku-cli/schema` 2.0.1); facts only.
"""

from __future__ import annotations

PUBLISHED = {
    "account": """
        allow_tracking:boolean beta:boolean country_of_residence?:text created_at:text default_organization?:{id:text
        name:text} default_team?:{id:text name:text} delinquent_at?:text email:text federated:boolean id:text
        identity_provider?:{id:text name:text organization:{name:text} owner:{id:text name:text type:enterprise-account|team}
        team:{name:text}} last_login?:text name?:text sms_number?:text suspended_at?:text two_factor_authentication:boolean
        updated_at:text verified:boolean
    """,
    "account-feature": """
        created_at:text description:text display_name:text doc_url:text enabled:boolean feedback_email:text id:text name:text
        state:text updated_at:text
    """,
    "app": """
        acm:boolean archived_at?:text build_stack:{id:text name:text} buildpack_provided_description?:text created_at:text
        git_url:text id:text internal_routing?:boolean maintenance:boolean name:text organization?:{id:text name:text}
        owner:{email:text id:text} region:{id:text name:text} released_at?:text repo_size?:number slug_size?:number
        space?:{id:text name:text shield:boolean} stack:{id:text name:text} team?:{id:text name:text} updated_at:text
        web_url?:text
    """,
    "app-feature": """
        created_at:text description:text display_name:text doc_url:text enabled:boolean feedback_email:text id:text name:text
        state:text updated_at:text
    """,
    "app-transfer": """
        app:{id:text name:text} created_at:text id:text owner:{email:text id:text} recipient:{email:text id:text}
        state:accepted|declined|pending updated_at:text
    """,
    "app-webhook-delivery": """
        created_at:text event:{id:text include:text} id:text last_attempt?:{code?:number created_at:text error_class?:text
        id:text status:failed|scheduled|succeeded updated_at:text} next_attempt_at?:text num_attempts:number
        status:failed|pending|retrying|scheduled|succeeded updated_at:text webhook:{id:text level:notify|sync}
    """,
    "app-webhook-event": """
        created_at:text id:text include:text payload:{action:text actor:{email:text id:text} data:object previous_data:object
        resource:text version:text} updated_at:text
    """,
    "build": """
        app:{id:text} buildpacks?:[{name:text url:text}] created_at:text id:text output_stream_url:text release?:{id:text}
        slug?:{id:text} source_blob:{checksum?:text url:text version?:text version_description?:text} stack:text
        status:failed|pending|succeeded updated_at:text user:{email:text id:text}
    """,
    "buildpack-installation": """
        buildpack:{name:text url:text} ordinal:number
    """,
    "collaborator": """
        app:{id:text name:text} created_at:text id:text permissions:[{description:text name:text}]
        role?:admin|collaborator|member|owner updated_at:text user:{email:text federated:boolean id:text}
    """,
    "domain": """
        acm_status?:text acm_status_reason?:text app:{id:text name:text} cname?:text created_at:text hostname:text id:text
        kind:custom|heroku sni_endpoint?:{id:text name:text} status:text updated_at:text
    """,
    "dyno": """
        app:{id:text name:text} attach_url?:text command:text created_at:text id:text name:text release:{id:text
        version:number} size:text state:text type:text updated_at:text
    """,
    "dyno-size": """
        compute:number cost?:object dedicated:boolean dyno_units:number id:text memory:number name:text
        precise_dyno_units:number private_space_only:boolean
    """,
    "formation": """
        app:{id:text name:text} command:text created_at:text id:text quantity:number size:text type:text updated_at:text
    """,
    "key": """
        comment:text created_at:text email:text fingerprint:text id:text public_key:text updated_at:text
    """,
    "log-drain": """
        addon?:{app:{id:text name:text} id:text name:text} app?:{id:text name:text} created_at:text id:text token:text
        updated_at:text url:text
    """,
    "log-session": """
        created_at:text id:text logplex_url:text updated_at:text
    """,
    "oauth-authorization": """
        access_token?:{expires_in?:number id:text token:text} client?:{id:text name:text redirect_uri:text} created_at:text
        grant?:{code:text expires_in:number id:text} id:text refresh_token?:{expires_in?:number id:text token:text}
        scope:[text] updated_at:text user:{email:text full_name?:text id:text}
    """,
    "oauth-client": """
        created_at:text id:text ignores_delinquent?:boolean name:text redirect_uri:text secret:text updated_at:text
    """,
    "oauth-token": """
        access_token:{expires_in?:number id:text token:text} authorization:{id:text} client?:{secret:text} created_at:text
        grant:{code:text type:text} id:text refresh_token:{expires_in?:number id:text token:text} session:{id:text}
        updated_at:text user:{id:text}
    """,
    "permission": """
        description:text name:text
    """,
    "rate-limit": """
        remaining:number
    """,
    "region": """
        country:text created_at:text description:text id:text locale:text name:text private_capable:boolean
        provider:{name:text
        region:ap-northeast-1|ap-southeast-2|eu-west-1|us-east-1|us-west-2}
        updated_at:text
    """,
    "release": """
        addon_plan_names:[text] app:{id:text name:text} created_at:text current:boolean description:text id:text
        output_stream_url?:text slug?:{id:text} status:failed|pending|succeeded updated_at:text user:{email:text id:text}
        version:number
    """,
    "slug": """
        blob:{method:text url:text} buildpack_provided_description?:text checksum?:text commit?:text commit_description?:text
        created_at:text id:text process_types:object size?:number stack:{id:text name:text} updated_at:text
    """,
    "sni-endpoint": """
        app:{id:text name:text} certificate_chain:text created_at:text display_name?:text domains:[text] id:text name:text
        ssl_cert:{ca_signed~:boolean cert_domains:[any] expires_at:text id:text issuer:text self_signed~:boolean
        starts_at:text subject:text} updated_at:text
    """,
    "source": """
        source_blob:{get_url:text put_url:text}
    """,
    "stack": """
        created_at:text default:boolean id:text name:text state:text updated_at:text
    """,
    "team": """
        created_at:text credit_card_collections:boolean default:boolean enterprise_account?:{id:text name:text} id:text
        identity_provider?:{id:text name:text owner:{id:text name:text type:enterprise-account|team}} membership_limit?:number
        name:text provisioned_licenses:boolean role?:admin|collaborator|member|owner type:enterprise|team updated_at:text
    """,
    "team-app": """
        archived_at?:text build_stack:{id:text name:text} buildpack_provided_description?:text created_at:text git_url:text
        id:text internal_routing?:boolean joined:boolean locked:boolean maintenance:boolean name:text owner?:{email:text
        id:text} region:{id:text name:text} released_at?:text repo_size?:number slug_size?:number space?:{id:text name:text}
        stack:{id:text name:text} team?:{name:text} updated_at:text web_url?:text
    """,
    "team-member": """
        created_at:text email:text federated:boolean id:text identity_provider?:{id:text name:text owner:{id:text name:text
        type:enterprise-account|team} redacted:boolean} role?:admin|collaborator|member|owner
        two_factor_authentication:boolean updated_at:text user:{email:text id:text name?:text}
    """,
}

# Where answers here differ, and why.
DEVIATIONS = {
    "collaborator.role": "`viewer` is a role of Enterprise teams; the declarations leave it out",
    "team.role": "`viewer`, as above",
    "team-member.role": "`viewer`, as above",
    "region.provider.region": "`local`: the server is in no cloud's region",
    "release.status": "`expired`, which the command line knows and the declarations do not",
}
