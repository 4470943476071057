"""Supplies the scheduler: having it is all there is to it. Its jobs are rows that go with the add-on; `actions/run_jobs.py` runs them.

Source: https://devcenter.heroku.com/articles/scheduler
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from ...core.add_on import AddOnService, Plan, Supplier
from ...core.errors import Invalid
from ...core.scheduled_job import SERVICE_NAME

SERVICE = AddOnService(
    name=SERVICE_NAME,
    human_name="Heroku Scheduler",
    plans=(Plan(SERVICE_NAME, "standard", "Standard", 0, {}, is_default=True),),
    first_attachment="SCHEDULER",
    later_attachments="SCHEDULER",
    prefix=SERVICE_NAME,
    keys=(),
    aliases=("senryu-scheduler",),
    supports_sharing=False,
    supports_multiple=False,
    message="Add jobs with `senryu scheduler:add`; `senryu scheduler` lists them.",
)


class SchedulerSupplier:
    """See Supplier."""

    @property
    def service(self) -> AddOnService:
        """See Supplier."""
        return SERVICE

    async def provision(self, id: UUID, plan: Plan, options: Mapping[str, str]) -> Mapping[str, str]:
        """See Supplier. There are no config vars."""
        if options:
            raise Invalid(f"{SERVICE.name} has no option {', '.join(sorted(options))[:80]}.")
        return {}

    async def change_plan(self, id: UUID, plan: Plan) -> None:
        """See Supplier."""

    async def deprovision(self, id: UUID) -> None:
        """See Supplier."""


_: type[Supplier] = SchedulerSupplier
