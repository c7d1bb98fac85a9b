"""Who did what: the audit chain, the newest first."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from statuspage.domain.roles import Permission
from statuspage.models import AuditEntry, User
from statuspage.services import audit
from statuspage.web import shell
from statuspage.web.access import access
from statuspage.web.wiring import wiring

PAGE = 100

blueprint = Blueprint("audit", __name__, url_prefix="/console/audit")


@blueprint.get("")
@access(Permission.AUDIT_VIEW)
def index() -> ResponseReturnValue:
    before = request.args.get("before", type=int)
    entity, entity_id = request.args.get("entity", "")[:40], request.args.get("id", "")[:40]
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(PAGE)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    if entity and entity_id:
        query = query.where(AuditEntry.entity == entity, AuditEntry.entity_id == entity_id)
    with wiring().reading() as session:
        rows = list(session.scalars(query))
        people = session.execute(
            select(User.public_id, User.name).where(User.public_id.in_({row.actor_id for row in rows}))
        )
        names = dict(people.all())
    return shell.render(
        "console/audit/index.html", rows=rows, names=names, more=len(rows) == PAGE, entity=entity, entity_id=entity_id
    )


@blueprint.get("/check")
@access(Permission.AUDIT_VIEW)
def check() -> ResponseReturnValue:
    """Walks the whole chain and says whether every link holds."""
    with wiring().reading() as session:
        count, broken = audit.verify(session)
    return shell.render("console/audit/check.html", count=count, broken=broken)
