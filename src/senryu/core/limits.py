"""Every number the platform is bound by, with its unit in its name.

Values are Heroku's unless the comment says why not.
Source: https://devcenter.heroku.com/articles/limits, /articles/error-codes, /articles/http-routing.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# Apps and config (Dev Center: limits, config-vars)
APP_NAME_MAX_CHARS = 30
APPS_PER_ACCOUNT_MAX = 100
DOMAINS_PER_APP_MAX = 1000
CONFIG_VARS_MAX_BYTES = 64 * KIB
CONFIG_VAR_KEY_MAX_CHARS = 256
COLLABORATORS_PER_APP_MAX = 250
TEAMS_PER_ACCOUNT_MAX = 50  # ours
TEAM_MEMBERS_MAX = 500
TEAM_APPS_MAX = 500
APP_TRANSFERS_PER_ACCOUNT_MAX = 100  # ours: offers that wait for an answer

# Add-ons
PROVISION_TIMEOUT_S = 60.0  # ours: a supplier's one call
PARTNER_TIMEOUT_S = 25.0
PARTNER_ANSWER_MAX_BYTES = 1024 * 1024  # ours
ACCEPTED_MAX_S = 12 * 3600.0  # how long a partner may take that said it takes longer
OBJECTS_ROUND_S = 5.0  # ours: how often buckets are looked at, so for how long an upload can go over a plan
OBJECTS_RESPONSE_TIMEOUT_S = 300.0  # ours: joining the parts of a large upload is silent
ADD_ONS_ROUND_S = 15.0  # ours: how often what a crash interrupted is gone on with
DATABASES_ROUND_S = 30.0  # ours: how often databases' sizes are looked at
FILLING_ROUND_S = 5.0  # ours: … while one is nearly full or grows fast
CREDENTIALS_MAX = 50  # ours: of one database, beside the default

# Backups of databases (Dev Center: heroku-postgres-backups; the numbers are ours)
TRANSFERS_AT_ONCE = 2  # others wait their turn
TRANSFERS_OPEN_MAX = 50  # with those that wait; above it no other is taken
TRANSFER_TIMEOUT_S = 12 * 3600.0
BACKUP_MAX_BYTES = 256 * GIB  # of one archive, compressed
BACKUP_LINK_S = 3600
BACKUPS_KEPT_AFTER_S = 30 * 24 * 3600.0  # of a database that was destroyed
TRANSFERS_KEPT = 50  # restores and copies of an app in its list
SCHEDULES_ROUND_S = 30.0  # how often what is due is begun
SCHEDULES_PER_DATABASE_MAX = 10
HISTORY_ROUND_S = 24 * 3600.0  # from one base backup of the databases' server to the next

# Scheduler (Dev Center: scheduler)
SCHEDULED_JOBS_PER_APP_MAX = 100  # ours
SCHEDULED_COMMAND_MAX_CHARS = 4096  # ours
SCHEDULER_LATE_MAX_S = 3600.0  # ours: a run that is later is missed; also one later than half its interval
SCHEDULER_LOOK_S = 10.0  # ours: at least so often it is looked whether a job is due

# Builds and slugs (Dev Center: slug-compiler, limits)
SLUG_MAX_BYTES = 500 * MIB
SLUG_UNPACKED_MAX_BYTES = 4 * GIB  # ours: what a 500 MB slug may grow to; a bomb stops here
SLUG_UNPACKED_MAX_FILES = 400_000
SOURCE_MAX_BYTES = 1 * GIB  # Dev Center: limits, checkout of HEAD
GIT_PACK_MAX_BYTES = 1 * GIB
BUILD_TIMEOUT_S = 15 * 60.0
BUILD_MEMORY_BYTES = 2 * GIB
BUILD_DISK_BYTES = 6 * GIB
DISK_KEPT_BYTES = 1 * GIB  # ours: what builds leave free of the platform's disk, or
DISK_KEPT_RATIO = 0.05  # ours: this part of a smaller one; the same part of its files
BUILD_PIDS = 4096
BUILD_CPU_SHARES = 512  # half a dyno's weight: building must not slow down serving
BUILD_OUTPUT_MAX_BYTES = 300 * MIB
BUILD_CACHE_MAX_BYTES = 2 * GIB
PUSH_TIMEOUT_S = 60 * 60.0
GIT_REFS_MAX_BYTES = 1 * MIB  # ours: the list of refs one push may name
GIT_FETCH_MAX_BYTES = 16 * MIB  # ours: what a fetch may ask, unpacked
GIT_MEMORY_MAX_BYTES = 2 * GIB  # ours: address space of one git program; a delta bomb stops here
GIT_CPU_MAX_S = 600  # ours: processor seconds of one git program; what unpacks to terabytes stops here
GIT_PROGRAMS_MAX = 16  # ours: git programs at once
GIT_STALL_TIMEOUT_S = 120.0  # ours: how long a git client may be silent
PROCFILE_MAX_BYTES = 64 * KIB
PROCESS_TYPES_MAX = 100

# Releases (Dev Center: releases, release-phase; changelog 3395)
RELEASE_PHASE_TIMEOUT_S = 60 * 60.0
RELEASES_KEPT = 20
RELEASES_KEPT_S = 30 * 24 * 3600.0
SLUGS_KEPT_MAX_BYTES = 5 * GIB  # ours: of one app, beyond its last RELEASES_KEPT releases
OUTPUTS_KEPT = 50  # ours: builds and releases of one app whose output is kept, for RELEASES_KEPT_S at most

# Dynos (Dev Center: dynos, dyno-restarts, error-codes)
BOOT_TIMEOUT_S = 60.0
START_TIMEOUT_S = 60.0  # ours: from a one-off's record to the engine knowing it
EXIT_GRACE_S = 30.0
DYNOS_PER_APP_MAX = 100
ONE_OFF_DYNOS_PER_APP_MAX = 50
ONE_OFF_MAX_S = 24 * 3600.0
ATTACH_TIMEOUT_S = 30.0
CYCLE_S = 24 * 3600.0
CYCLE_JITTER_S = 216 * 60.0
CRASH_BACKOFF_FIRST_S = 10.0  # ours: Heroku starts at minutes; see decisions/
CRASH_BACKOFF_MAX_S = 300.0
CRASH_FORGIVEN_AFTER_S = 600.0
MEMORY_WARN_RATIO = 1.0  # R14
MEMORY_KILL_RATIO = 2.0  # R15
MEMORY_CHECK_S = 20.0
DYNO_DISK_BYTES = 1 * GIB  # ours: the throw-away layer of one dyno

# Sleep and usage (Dev Center: free-dyno-hours, usage-and-billing; the rest is ours)
SLEEP_LOOK_MIN_S = 1.0
SLEEP_LOOK_MAX_S = 20.0  # how late an app may fall asleep, and how long hours may be overdrawn
USAGE_ROUND_S = 60.0  # and how much of a dyno's time a power cut may make uncharged
USAGE_FOLDED_AFTER_S = 36 * 3600.0  # then a dyno's run is part of its month's sum

# Routing (Dev Center: http-routing)
FIRST_BYTE_TIMEOUT_S = 30.0
IDLE_TIMEOUT_S = 55.0
CONNECT_TIMEOUT_S = 5.0
BOOT_QUEUE_TIMEOUT_S = 75.0
DRAIN_TIMEOUT_S = 30.0
REQUESTS_PER_DYNO = 200  # active at once on one dyno; the others queue
BACKLOG_PER_DYNO = 50  # queued for each dyno before H11
REQUEST_HEADER_TIMEOUT_S = 20.0  # ours: a client that trickles its headers is cut here
REQUEST_LINE_MAX_BYTES = 8192
REQUEST_HEADER_LINE_MAX_BYTES = 8192
REQUEST_HEADERS_MAX = 1000
RESPONSE_COOKIE_MAX_BYTES = 8192
RESPONSE_STATUS_LINE_MAX_BYTES = 8192
CONNECTIONS_PER_APP_MAX = 4096  # ours, Heroku's is not told: half of what the router takes
CONNECTIONS_PER_SOURCE_MAX = 2048  # ours: open at once from one address, a quarter of what the router takes
HELD_REQUESTS_PER_APP_MAX = 1000  # ours: waiting for a first dyno
PLATFORM_RESTART_S = 30.0  # requests to the platform wait this long for it to come back
PLATFORM_RESPONSE_TIMEOUT_S = 3600.0  # a push or a log tail may be silent for long

# Logs (Dev Center: logging, limits)
LOG_HISTORY_LINES = 1500
LOG_LINE_MAX_BYTES = 10_000
LOG_TAIL_BUFFER_LINES = 1024
LOG_SESSION_S = 5 * 60.0

# Log drains (Dev Center: log-drains, limits; the rest is logplex's own)
DRAINS_PER_APP_MAX = 5
DRAIN_URL_MAX_CHARS = 2048  # ours
DRAIN_BUFFER_LINES = 1024  # the oldest is displaced and counted in an L10
DRAIN_SHRUNK_LINES = 10  # what is kept for a syslog receiver that failed often
DRAIN_FAILURES_BEFORE_SHRINKING = 10
DRAIN_BATCH_BYTES = 102_400  # one HTTPS request, about
DRAIN_PACKET_BYTES = 4096  # one write to a syslog receiver, about
DRAIN_TRIES = 3  # of one HTTPS request
DRAIN_CONNECT_TIMEOUT_S = 3.0
DRAIN_REQUEST_TIMEOUT_S = 5.0
DRAIN_SEND_TIMEOUT_S = 4.0
DRAIN_GATHER_S = 0.25  # log-shuttle's: requests to one receiver are at least so far apart unless a full one waits
DRAIN_SLOT_S = 0.01
DRAIN_RECONNECT_MIN_S = 30.0
DRAIN_RECONNECT_MAX_S = 300.0
DRAIN_IDLE_MIN_S = 144.0
DRAIN_IDLE_MAX_S = 240.0
DRAIN_CONNECTION_MAX_S = 5 * 3600.0
DRAIN_TOLD_S = 60.0  # ours: how often an L10 or L14 of one drain is told in the app's log
LOOKUP_TIMEOUT_S = 3.0  # ours: a host name that a user gave

# Webhooks (Dev Center: app-webhooks, changelog 2525; the rest is ours)
WEBHOOKS_PER_APP_MAX = 20
WEBHOOK_URL_MAX_CHARS = 2048
WEBHOOK_SECRET_MAX_CHARS = 1024
WEBHOOK_WAITING_MAX = 1000  # deliveries that wait for one webhook; above it the oldest is dropped and counted
WEBHOOK_SENDERS = 8  # webhooks that are sent to at once, one request each
WEBHOOK_TIMEOUT_S = 20.0  # one attempt, all of it
WEBHOOK_CONNECT_TIMEOUT_S = 3.0
WEBHOOK_ANSWER_MAX_BYTES = 64 * KIB
WEBHOOK_RETRY_FIRST_S = 5.0
WEBHOOK_RETRY_MAX_S = 3600.0  # "retries occur hourly"
WEBHOOK_TRIED_FOR_S = 72 * 3600.0
WEBHOOK_KEPT_S = 7 * 24 * 3600.0  # deliveries that are done
WEBHOOK_KEPT = 1000  # and at most so many for each webhook, which is what the client lists

# Certificates of custom domains (Dev Center: ssl, automated-certificate-management; letsencrypt.org/docs/rate-limits)
SNI_ENDPOINTS_PER_APP_MAX = 100  # ours
CERTIFICATE_CHAIN_MAX_BYTES = 24 * KIB  # ours: chain and key must fit into one buffer of the router
CERTIFICATE_KEY_MAX_BYTES = 16 * KIB  # ours
CERTIFICATE_CHECK_S = 60.0  # ours: how often what is served is compared with what is stored
CERTIFICATE_POLL_S = 2.0  # ours: how often an order under way is asked for
CERTIFICATE_ORDER_S = 3600.0  # ours: an order that leads nowhere for so long is given up
CERTIFICATE_RETRY_FIRST_S = 15 * 60.0  # ours: doubling; an authority takes five failures of a name an hour
CERTIFICATE_RETRY_MAX_S = 24 * 3600.0
CERTIFICATE_FAILURES_MAX = 8  # in a row, then `failed` instead of `failing`
CERTIFICATE_ORDERS_MAX = 4  # ours: domains worked on at once
AUTHORITY_TIMEOUT_S = 30.0  # ours: one call to a certificate authority

# API (Dev Center: platform-api-reference)
API_CALLS_PER_HOUR = 4500
API_BODY_MAX_BYTES = 1 * MIB
API_DRAIN_MAX_BYTES = 128 * MIB  # ours: what is read and thrown away of a body that is refused
API_DRAIN_TIMEOUT_S = 10.0
API_PAGE_MAX = 1000
API_PAGE_DEFAULT = 200
LOGIN_FAILURES_BEFORE_DELAY = 5
LOGIN_DELAY_MAX_S = 15 * 60.0  # ours: between two guesses at one account from one address
LOGIN_ACCOUNT_DELAY_MAX_S = 30.0  # ours: between guesses at one account from addresses it is not used from
LOGIN_FAILURES_KEPT_S = 3600.0
TWO_FACTOR_PENDING_S = 600.0  # ours: from a begun second factor to its first code
IDEMPOTENCY_S = 3600.0  # ours: how long the answer to a write is kept for who asks again
IDEMPOTENCY_WAIT_S = 60.0  # ours: for the same write that is under way
IDEMPOTENT_ANSWERS_MAX = 10_000
IDEMPOTENT_ANSWER_MAX_BYTES = 256 * KIB
OAUTH_CODE_S = 300.0
OAUTH_TOKEN_S = 8 * 3600.0
PASSWORD_MIN_CHARS = 8
SSH_KEYS_PER_ACCOUNT_MAX = 100  # ours
OAUTH_CLIENTS_PER_ACCOUNT_MAX = 100  # ours
LOGINS_WAITING_MAX = 200  # ours: browser logins under way at once
LOGIN_WAIT_S = 10 * 60.0  # what the official client waits for a browser login

# Waits on our own parts
AGENT_TIMEOUT_S = 30.0
ROUTER_TIMEOUT_S = 5.0
