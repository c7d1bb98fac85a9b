"""The mitigation table of the source, as data: sixteen measures, each with what proves it, by when, and whose it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from statuspage.domain.evidence import ENOUGH_TOLD, SHORT_OUTAGE, Evidence
from statuspage.domain.incident import CauseCategory

VERSION = 1
"""Raised when a shipped row changes; an incident's copy keeps the version it was made from."""


class Anchor(StrEnum):
    """What a due time counts from; `gate`: due when the act it guards is done."""

    DECLARED = "declared"
    RESOLVED = "resolved"
    CADENCE = "cadence"
    GATE = "gate"


@dataclass(frozen=True, slots=True)
class Measure:
    """One row. `source` is the row of the source it stands for, `owners` are roles, `text` is by locale.

    `repeat`: the proof goes stale and is due again. `lasting`: once done it stays done, unless `undone` says that it is
    not; else it is judged anew while `judged` says so. `not_needed` answers a key of the catalogues. What proves it
    stands in `domain.proof`, by its key.
    """

    key: str
    number: int
    source: str
    text: Mapping[str, str]
    owners: tuple[str, ...]
    anchor: Anchor = Anchor.DECLARED
    after: timedelta = timedelta()
    repeat: timedelta | None = None
    lasting: bool = True
    undone: Callable[[Evidence], bool] = lambda _: False
    judged: Callable[[Evidence], bool] = lambda e: e.open
    not_needed: Callable[[Evidence], str | None] = lambda _: None


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def _text(ru: str, zh: str, en: str) -> Mapping[str, str]:
    return MappingProxyType({"ru": ru, "zh": zh, "en": en})


def _short(e: Evidence) -> str | None:
    if e.expected_end is not None and e.expected_end - e.declared_at <= SHORT_OUTAGE:
        return "playbook.short_outage"
    by = e.first_sms_due or e.declared_at + _HOUR
    over = not e.campaign_ran and e.restored_at is not None and e.restored_at <= by
    return "playbook.over_before_due" if over else None


def _told_too_few(e: Evidence) -> bool:
    """Done says that so many were told; when receipts or more people make them fewer, it is not done any more."""
    return e.told_share < ENOUGH_TOLD


def _broken(e: Evidence) -> bool:
    """Another way to pay is asked for while payments do not work, not while they catch up."""
    return e.restored_at is None


def _unless(affected: Callable[[Evidence], bool], reason: str) -> Callable[[Evidence], str | None]:
    return lambda e: None if affected(e) else reason


MEASURES: tuple[Measure, ...] = (
    Measure(
        "page_tells", 1, "R1",
        _text(
            "Рассказать о сбое на странице на всех языках: с какого времени, что не работает, что работает, "
            "когда следующее сообщение.",
            "在状态页用所有语言说明：何时开始、哪些不可用、哪些正常、何时再更新。",
            "Say it on the page in every language: since when, what is down, what is not, when the next update comes.",
        ),
        ("engineer",), after=15 * _MINUTE,
    ),
    Measure(
        "told_directly", 2, "R1",
        _text(
            "Сообщить тем, кого сбой коснулся: не меньше 90\u00a0% из тех, с кем есть связь.",
            "直接通知受影响的用户：可联系用户中至少 90% 已收到。",
            "Tell the affected subscribers directly: at least 90% of those who can be reached.",
        ),
        ("engineer", "approver"), after=60 * _MINUTE, undone=_told_too_few, not_needed=_short,
    ),
    Measure(
        "payment_routes", 3, "R1",
        _text(
            "Указать для каждого затронутого сегмента и региона хотя бы один способ оплаты, проверенный за последние "
            "30 минут.",
            "为每个受影响的用户群和地区给出至少一种最近 30 分钟内核实过的缴费方式。",
            "Name at least one way to pay, checked in the last 30 minutes, for each affected segment and region.",
        ),
        ("engineer",), after=15 * _MINUTE, repeat=30 * _MINUTE, lasting=False, judged=_broken,
    ),
    Measure(
        "service_routes", 4, "R1",
        _text(
            "Показать на странице, как управлять услугами без биллинга: USSD, голосовое меню или салон.",
            "在状态页给出不依赖计费系统的业务办理方式：USSD、语音菜单或营业厅。",
            "Show on the page a way to manage services that does not depend on billing: USSD, IVR or a shop.",
        ),
        ("engineer",), after=30 * _MINUTE, lasting=False, judged=_broken,
    ),
    Measure(
        "grace_active", 5, "R1, RU 28",
        _text(
            "Включить отсрочку отключения для каждого затронутого сегмента; система взыскания её подтвердила.",
            "为每个受影响的用户群启用不停机保障，催缴系统已确认。",
            "Have a grace policy in force for every affected segment, acknowledged by the dunning system.",
        ),
        ("engineer",), after=30 * _MINUTE, lasting=False,
    ),
    Measure(
        "dunning_muted", 6, "R1, RU 12",
        _text(
            "Приостановить напоминания о долге и рекламные рассылки.",
            "暂停催缴短信和营销短信。",
            "Mute dunning reminders and marketing messages.",
        ),
        ("engineer",), after=30 * _MINUTE,
    ),
    Measure(
        "repair_owned", 7, "R2",
        _text(
            "Назвать ответственного за ремонт, причину и ожидаемый срок – или сказать, что они пока неизвестны.",
            "指定修复负责人；说明原因和预计恢复时间，未知也要说明。",
            "Name who owns the repair; say the cause and the expected end, or say that they are unknown.",
        ),
        ("engineer",), after=15 * _MINUTE, lasting=False,
    ),
    Measure(
        "updates_on_time", 8, "R2",
        _text(
            "Вовремя рассказывать, что делается для устранения сбоя.",
            "按时更新，每次说明正在采取的措施。",
            "Update on time, and say each time what is being done.",
        ),
        ("engineer",), anchor=Anchor.CADENCE, lasting=False,
    ),
    Measure(
        "restored_truthfully", 9, "R2",
        _text(
            "Сообщать о восстановлении, только когда это правда: зачисление платежей проверено, есть цифры.",
            "确实恢复后才宣布恢复：入账已核实，并有数字为证。",
            "Say that it is restored only when it is true: crediting is verified, with figures.",
        ),
        ("engineer",), anchor=Anchor.GATE, lasting=False,
    ),
    Measure(
        "postmortem", 10, "R2",
        _text(
            "Опубликовать разбор: что случилось, какие меры приняты и кто за них отвечает.",
            "公布事后分析：经过、改进措施及负责人。",
            "Publish the postmortem, with actions and their owners.",
        ),
        ("manager",), anchor=Anchor.RESOLVED, after=10 * _DAY,
    ),
    Measure(
        "call_centre", 11, "R3",
        _text(
            "Передать контакт-центру текст для операторов, голосового меню, USSD и салонов; он им пользуется.",
            "客服中心已拿到话术；语音菜单、USSD 和营业厅文本已生成。",
            "Give the call centre its script; the texts for IVR, USSD and shops are there.",
        ),
        ("call_centre",), after=15 * _MINUTE,
    ),
    Measure(
        "independent_channels", 12, "R3",
        _text(
            "Донести новость хотя бы по двум каналам, которые не зависят от биллинга.",
            "通过至少两个不依赖计费系统的渠道发出消息。",
            "Carry the news by at least two channels that do not depend on billing.",
        ),
        ("engineer",), after=60 * _MINUTE,
    ),
    Measure(
        "merchants", 13, "R3",
        _text(
            "Предупредить владельцев терминалов, дать им проверку связи и план на случай отказа.",
            "通知 POS 终端商户，提供无服务排查和应急方案。",
            "Tell the contacts of terminals; link the check for “no service” and the emergency plan.",
        ),
        ("engineer",), after=60 * _MINUTE,
        not_needed=_unless(lambda e: e.pos_affected, "playbook.pos_not_affected"),
    ),
    Measure(
        "partners", 14, "R3, RU 14",
        _text(
            "Уведомить роуминговых партнёров и корпоративных клиентов, если затронуты расчёты или счета.",
            "如涉及结算或账单，通知漫游伙伴和集团客户。",
            "Tell roaming partners and business accounts, where settlement or invoices are touched.",
        ),
        ("manager",), after=4 * _HOUR,
        not_needed=_unless(lambda e: e.partners_affected, "playbook.partners_not_affected"),
    ),
    Measure(
        "security_words", 15, "RU 9",
        _text(
            "При угрозе безопасности согласовать формулировки с юристами и предупредить о мошенниках на странице.",
            "涉及安全时：措辞经法务批准，页面提示防范诈骗。",
            "With a security cause: words approved by legal, and a warning of fraud on the page.",
        ),
        ("legal",), anchor=Anchor.GATE,
        not_needed=_unless(lambda e: e.cause is CauseCategory.SECURITY, "playbook.cause_not_security"),
    ),
    Measure(
        "compensation", 16, "RU 18, 19",
        _text(
            "Решить о компенсации (или записать, почему её нет) и приложить выгрузку журнала.",
            "确定补偿规则（或写明不补偿的理由），并存档审计导出。",
            "Decide on compensation (or “none”, with the reason) and file the audit export.",
        ),
        ("manager",), anchor=Anchor.RESOLVED, after=7 * _DAY,
    ),
)

BY_KEY: Mapping[str, Measure] = MappingProxyType({measure.key: measure for measure in MEASURES})
