"""A report of an outage from its declaration to its end, made by hand for the golden files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from statuspage.domain.campaign import CampaignKind
from statuspage.domain.clocks import Clock, Compliance
from statuspage.domain.component import ComponentState
from statuspage.domain.delivery import DeliveryState
from statuspage.domain.incident import CauseCategory, IncidentState, Publication
from statuspage.domain.playbook import Row, RowState
from statuspage.domain.proof import Fact
from statuspage.models import Incident
from statuspage.publish.report import Report
from statuspage.services.report import (
    Applied,
    CampaignResult,
    ChannelResult,
    Facts,
    GraceGiven,
    LedgerLine,
    Outcome,
    Said,
)
from statuspage.services.report_acts import RouteCheck
from statuspage.services.texts import Wording

START = datetime(2026, 11, 22, 7, 20, tzinfo=UTC)
ENGINEER, APPROVER, GONE = "engineer0001", "approver0001", "left00000001"


def at(hours: float) -> datetime:
    """So long after the start."""
    return START + timedelta(hours=hours)


def said(ru: str, zh: str, en: str) -> Wording:
    return Wording("ru", {"ru": ru, "zh": zh, "en": en}, frozenset())


INCIDENT = Incident(
    public_id="p31zjtct2jer",
    state=IncidentState.RESOLVED,
    publication=Publication.PUBLISHED,
    cause=CauseCategory.DATABASE,
    profile="default_billing",
    segments=["prepaid", "pos_m2m"],
    regions=[],
    not_affected=["calls"],
    started_at=START,
    declared_at=at(0.2),
    published_at=at(0.2),
    restored_at=at(5),
    resolved_at=at(9),
    crediting_verified_at=at(8),
    payments_queued=124_000,
    payments_credited=124_000,
    payments_duplicated=12,
    drill=False,
)

_SMS = ChannelResult(
    "sms",
    at(1),
    (
        Outcome(DeliveryState.DELIVERED, "", 81_234),
        Outcome(DeliveryState.SUPPRESSED, "opted_out", 310),
        Outcome(DeliveryState.UNKNOWN, "", 4),
    ),
    resent=0,
)
_MAIL = ChannelResult(
    "email",
    at(1.1),
    (Outcome(DeliveryState.DELIVERED, "", 40_000), Outcome(DeliveryState.UNDELIVERED, "mailbox_full", 17)),
    resent=3,
)


def _campaign(purpose: str, kind: CampaignKind, *channels: ChannelResult, glass: str | None = None) -> CampaignResult:
    return CampaignResult(
        public_id=f"c{purpose:_<11}"[:12],
        name=purpose,
        kind=kind,
        state="finished",
        author=ENGINEER if kind is CampaignKind.INCIDENT_NOTICE else "system",
        approver=None if glass else APPROVER,
        released_by=ENGINEER if glass else APPROVER,
        approved_at=at(0.9),
        break_glass=glass is not None,
        break_glass_reason=glass,
        started_at=at(1),
        finished_at=at(1.5),
        channels=channels,
        purpose=purpose,
        people=86_234 if len(channels) > 1 else 81_234,
    )


CAMPAIGNS = (
    _campaign("outage", CampaignKind.INCIDENT_NOTICE, _SMS, _MAIL),
    _campaign("merchants", CampaignKind.INCIDENT_NOTICE, _SMS, glass="Nobody else could be reached at night."),
    _campaign("merchants_end", CampaignKind.END_NOTICE, _SMS),
)

GRACE = GraceGiven(
    public_id="g00000000001",
    state="tail",
    segments=("prepaid", "pos_m2m"),
    starts_at=START,
    until=datetime(2026, 11, 25, 21, tzinfo=UTC),
    ledger=(
        LedgerLine(at(0.2), ENGINEER, "declared", None, datetime(2026, 11, 24, 21, tzinfo=UTC)),
        LedgerLine(
            at(9), "system", "resolved", datetime(2026, 11, 24, 21, tzinfo=UTC), datetime(2026, 11, 25, 21, tzinfo=UTC)
        ),
    ),
    title=said("Отсрочка на время сбоя оплаты", "缴费故障期间不停机", "Grace while payments are down"),
    approved_by=APPROVER,
    approved_at=datetime(2026, 6, 1, 8, tzinfo=UTC),
    applied=(Applied(at(2), ENGINEER, "dunning-1", 1, 812_345, 0),),
)

FACTS = Facts(
    clocks=(
        Clock("end_notice", at(5.5), None, overdue=True, missing=(CAMPAIGNS[0].public_id,)),
        Clock("report:internal", at(72), None, overdue=False),
        Clock("first_notice", at(0.5), at(0.2), overdue=False),
        Clock("first_sms", at(0.9), at(1), overdue=False),
    ),
    compliance=Compliance(due=5, on_time=4, longest_gap=timedelta(minutes=75), overdue=timedelta(minutes=15)),
    updates=3,
    end_slips=1,
    first_page_after_start=timedelta(minutes=12),
    first_page_after_declaration=timedelta(),
    first_told_after_declaration={"sms": timedelta(minutes=48), "email": timedelta(minutes=54)},
    campaigns=CAMPAIGNS,
    people_told=121_500,
    grace=(GRACE,),
    declared_by=ENGINEER,
    owner=GONE,
    crediting_verified_by=APPROVER,
    said=(
        Said(at(0.2), at(0.2), ENGINEER, "investigating", said("Не проходит оплата.", "缴费暂不可用。", "Down.")),
        Said(at(5), at(5.1), "cli", "restored_catching_up", Wording("ru", {"ru": "Снова работает."}, frozenset())),
        Said(at(9), at(9), ENGINEER, "resolved", said("Всё зачислено.", "已全部入账。", "All credited.")),
    ),
    route_checks=(
        RouteCheck(at(0.5), ENGINEER, "bank_app", "works"),
        RouteCheck(at(4), ENGINEER, "bank_app", None),
    ),
    audit_entries=41,
    audit_by_kind={"campaign": 14, "grace": 5, "incident": 15, "playbook": 5, "route": 2},
    audit_chain=1_204,
    audit_head="5f" * 32,
    audit_holds=True,
)

PROVED = (Fact("on_page", True, at=at(0.2), by=ENGINEER), Fact("complete", False, names=("cause", "next_update")))

REPORT = Report(
    incident=INCIDENT,
    title=said("Не работает оплата", "缴费暂不可用", "Payments are down"),
    facts=FACTS,
    rows=(
        Row("page_tells", 1, RowState.DONE, at(0.5), True, at(0.3), False, None, "", False, PROVED),
        Row("dunning_muted", 2, RowState.DONE, at(1), False, at(2), True, APPROVER, "Rang the billing team.", False),
        Row(
            "settlement_partners",
            3,
            RowState.NOT_NEEDED,
            None,
            False,
            None,
            False,
            None,
            "playbook.short_outage",
            False,
        ),
        Row("postmortem", 4, RowState.OPEN, at(240), False, None, False, None, "", False),
    ),
    measures={
        "page_tells": said("Страница сообщает о сбое", "页面通告", "The page tells"),
        "dunning_muted": said("Напоминания о долге остановлены", "停止催缴", "Dunning is muted"),
        "settlement_partners": said("Партнёры предупреждены", "通知合作方", "Partners are told"),
        "postmortem": said("Разбор опубликован", "发布复盘", "The review is published"),
    },
    recurrence=2,
    as_of=at(12),
    people={ENGINEER: "Anna Orlova", APPROVER: "李伟"},
    components={"top_up": ComponentState.MAJOR_OUTAGE, "balance": ComponentState.PARTIAL_OUTAGE},
    names={
        ("component", "top_up"): said("Пополнение счёта", "充值", "Top-up"),
        ("component", "balance"): said("Проверка баланса", "余额查询", "Balance"),
        ("component", "calls"): said("Звонки", "通话", "Calls"),
        ("segment", "prepaid"): said("Предоплата", "预付费", "Prepaid"),
        ("segment", "pos_m2m"): said("SIM терминалов", "POS 流量卡", "Terminal SIMs"),
        ("route", "bank_app"): said("Приложение банка", "银行 App", "Bank app"),
    },
)
