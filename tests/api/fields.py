"""What clients read of each resource: wire contract section 9, with the fields the CLI uses beyond the schema."""

FIELDS: dict[str, set[str]] = {
    name: set(fields.split())
    for name, fields in {
        "account": (
            "id created_at updated_at email name allow_tracking beta verified federated country_of_residence default_organization"
            " default_team delinquent_at suspended_at last_login sms_number identity_provider two_factor_authentication"
        ),
        "app": (
            "id created_at updated_at name acm archived_at build_stack stack buildpack_provided_description git_url web_url"
            " internal_routing maintenance organization team owner region released_at repo_size slug_size space generation"
            " process_tier create_status locked"
        ),
        "formation": "id created_at updated_at app command quantity size type docker_image",
        "dyno": "id created_at updated_at name type state size command attach_url app release extended",
        "dyno_size": "id name compute memory cost dedicated dyno_units private_space_only",
        "release": (
            "id created_at updated_at version description status current user slug app addon_plan_names output_stream_url"
            " eligible_for_rollback oci_image"
        ),
        "build": "id created_at updated_at app buildpacks output_stream_url release slug source_blob stack status user",
        "slug": (
            "id created_at updated_at blob buildpack_provided_description checksum commit commit_description process_types size stack"
        ),
        "collaborator": "id created_at updated_at app user role permissions",
        "domain": "id created_at updated_at hostname kind cname status acm_status acm_status_reason sni_endpoint app",
        "log_session": "id created_at updated_at logplex_url",
        "authorization": "id created_at updated_at description scope access_token refresh_token client grant user",
        "region": "id created_at updated_at name description country locale private_capable provider",
        "stack": "id created_at updated_at name default state",
    }.items()
}
NESTED: dict[str, dict[str, set[str]]] = {
    "app": {
        "build_stack": {"id", "name"},
        "stack": {"id", "name"},
        "owner": {"id", "email"},
        "region": {"id", "name"},
        "generation": {"name"},
    },
    "formation": {"app": {"id", "name"}},
    "dyno": {"app": {"id", "name"}, "release": {"id", "version"}},
    "dyno_size": {"cost": {"cents", "unit"}},
    "release": {"user": {"id", "email"}, "slug": {"id"}, "app": {"id", "name"}},
    "build": {"app": {"id"}, "user": {"id", "email"}, "source_blob": {"url", "version", "checksum", "version_description"}},
    "slug": {"blob": {"method", "url"}, "stack": {"id", "name"}},
    "collaborator": {"app": {"id", "name"}, "user": {"id", "email", "federated"}},
    "domain": {"app": {"id", "name"}},
    "authorization": {"access_token": {"id", "token", "expires_in"}, "user": {"id", "email", "full_name"}},
    "region": {"provider": {"name", "region"}},
}
