"""The page of one bad day, as a frozen view: what the renderers' tests and the page's benchmark look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from statuspage.domain.component import ComponentState, Indicator
from statuspage.domain.grace import GraceState
from statuspage.domain.incident import CauseCategory, IncidentState
from statuspage.domain.route import RouteKind, RouteState
from statuspage.publish.view import (
    ComponentChange,
    ComponentView,
    DayState,
    GroupView,
    IncidentView,
    Operator,
    PageView,
    PromiseView,
    RouteView,
    Text,
    UpdateView,
    Words,
)

NOON = datetime(2026, 11, 22, 11, 5, 12, tzinfo=UTC)  # 14:05:12 in Moscow
BEGAN = datetime(2026, 11, 22, 7, 20, tzinfo=UTC)
OLD = datetime(2026, 1, 1, tzinfo=UTC)

OPERATOR = Operator(
    page_id="kctbh9vrtdwd",
    name="Demo Telecom",
    base_url="https://status.example.com",
    time_zone="Europe/Moscow",
    locales=("ru", "zh", "en"),
    default_locale="ru",
    support_phone="0500",
)


def words(ru: str, zh: str, en: str) -> Words:
    return Words({"ru": Text(ru, "ru"), "zh": Text(zh, "zh"), "en": Text(en, "en")})


def only_russian(ru: str) -> Words:
    return Words(dict.fromkeys(("ru", "zh", "en"), Text(ru, "ru")))


PREPAID = words("Предоплата", "预付费", "Prepaid")
POSTPAID = words("Постоплата", "后付费", "Postpaid")
TERMINALS = words("SIM терминалов", "POS流量卡", "Terminal SIMs")
MOSCOW = words("Москва", "莫斯科", "Moscow")
SIBERIA = words("Сибирь", "西伯利亚", "Siberia")

GROUPS = (
    GroupView("g1x0000000aa", words("Оплата и счёт", "缴费与账户", "Payments and account"), OLD, OLD, 1),
    GroupView("g1x0000000ab", words("Связь", "通信", "Network"), OLD, OLD, 2),
)


def days(worst: ComponentState, minutes: int) -> tuple[DayState, ...]:
    last = date(2026, 11, 22)
    past = [last - timedelta(days=89 - place) for place in range(90)]
    return tuple(
        DayState(day, ComponentState.PARTIAL_OUTAGE, 55)
        if place == 40
        else DayState(day, worst, minutes)
        if place == 89
        else DayState(day, ComponentState.OPERATIONAL)
        for place, day in enumerate(past)
    )


def component(number: int, name: Words, state: ComponentState, group: str, minutes: int = 0) -> ComponentView:
    return ComponentView(
        id=f"c1x00000000{number}",
        name=name,
        state=state,
        created_at=OLD,
        updated_at=BEGAN if minutes else OLD,
        position=number,
        group_id=group,
        days=days(state, minutes),
        billing=group == "g1x0000000aa",
    )


COMPONENTS = (
    component(1, words("Пополнение счёта", "充值", "Top-up"), ComponentState.MAJOR_OUTAGE, "g1x0000000aa", 225),
    component(2, words("Проверка баланса", "余额查询", "Balance"), ComponentState.MAJOR_OUTAGE, "g1x0000000aa", 225),
    component(
        3,
        words("Обещанный платёж", "信用充值", "Promised payment"),
        ComponentState.DEGRADED_PERFORMANCE,
        "g1x0000000aa",
        40,
    ),
    component(4, words("Звонки", "通话", "Calls"), ComponentState.OPERATIONAL, "g1x0000000ab"),
    component(5, words("Мобильный интернет", "移动数据", "Mobile data"), ComponentState.OPERATIONAL, "g1x0000000ab"),
)

ROUTES = (
    RouteView("r00000000001", RouteKind.PAYMENT, words("USSD", "USSD", "USSD"), RouteState.DOWN, 1, code="*100#"),
    RouteView(
        "r00000000002",
        RouteKind.PAYMENT,
        words("Терминал оплаты", "自助缴费机", "Kiosk"),
        RouteState.WORKS_DELAYED,
        2,
        how_to=words(
            "1. Введите номер.\n2. Внесите деньги и заберите чек.",
            "输入号码，投入现金，取走小票。",
            "Enter the number, pay, take the receipt.",
        ),
        receipt_needed=True,
        checked_at=BEGAN + timedelta(hours=3),
    ),
    RouteView(
        "r00000000003",
        RouteKind.PAYMENT,
        words("Приложение банка", "银行App", "Bank app"),
        RouteState.WORKS,
        3,
        checked_at=BEGAN + timedelta(hours=3, minutes=30),
    ),
    RouteView(
        "r00000000004",
        RouteKind.PAYMENT,
        words("Карта на сайте", "官网银行卡", "Card on our site"),
        RouteState.DEGRADED,
        4,
    ),
    RouteView(
        "r00000000005",
        RouteKind.PAYMENT,
        words("Салон связи", "营业厅", "Our shops"),
        RouteState.UNKNOWN,
        5,
        regions=(MOSCOW,),
        checked_at=BEGAN + timedelta(hours=1),
    ),
    RouteView(
        "r00000000006",
        RouteKind.SERVICE,
        words("Голосовое меню", "语音菜单", "Voice menu"),
        RouteState.WORKS,
        1,
        code="0500",
    ),
)

UPDATES = (
    UpdateView(
        "u00000000003",
        IncidentState.IDENTIFIED,
        BEGAN + timedelta(hours=3, minutes=10),
        BEGAN + timedelta(hours=3, minutes=10),
        BEGAN + timedelta(hours=3, minutes=10),
        words(
            "Причина найдена: отказала база данных. Включаем резервную. Деньги, внесённые через банк, **не пропали**.",
            "原因已查明：计费数据库故障，正在切换到备用库。通过银行缴纳的款项**不会丢失**。",
            "Cause found: a database failed, the reserve takes over. Money paid through a bank is **safe**.",
        ),
    ),
    UpdateView(
        "u00000000002",
        IncidentState.INVESTIGATING,
        BEGAN + timedelta(hours=1),
        BEGAN + timedelta(hours=1),
        BEGAN + timedelta(hours=1),
        only_russian("Продолжаем искать причину. Звонки и интернет работают."),
    ),
    UpdateView(
        "u00000000001",
        IncidentState.INVESTIGATING,
        BEGAN + timedelta(minutes=11),
        BEGAN + timedelta(minutes=11),
        BEGAN + timedelta(minutes=11),
        words(
            "Пополнение счёта и проверка баланса не работают. Выясняем причину.",
            "充值和余额查询暂不可用，正在排查。",
            "Top-up and balance do not work. We are looking for the cause.",
        ),
        changes=(ComponentChange("c1x000000001", ComponentState.OPERATIONAL, ComponentState.MAJOR_OUTAGE),),
    ),
)

INCIDENT = IncidentView(
    id="p31zjtct2jer",
    title=words("Не работают пополнение счёта и баланс", "充值与余额查询暂不可用", "Top-up and balance are down"),
    state=IncidentState.IDENTIFIED,
    impact=Indicator.CRITICAL,
    cause=CauseCategory.DATABASE,
    started_at=BEGAN,
    created_at=BEGAN + timedelta(minutes=11),
    updated_at=UPDATES[0].at,
    updates=UPDATES,
    next_update_at=datetime(2026, 11, 22, 13, 0, tzinfo=UTC),
    credited_by=datetime(2026, 11, 22, 19, 0, tzinfo=UTC),
    component_ids=("c1x000000001", "c1x000000002"),
    regions=(MOSCOW, SIBERIA),
    not_affected=(
        words("Звонки", "通话", "Calls"),
        words("Мобильный интернет", "移动数据", "Mobile data"),
        words("SMS", "短信", "SMS"),
    ),
)

PAST = IncidentView(
    id="a11aaaaaaaaa",
    title=only_russian("Задержка зачисления платежей картой"),
    state=IncidentState.RESOLVED,
    impact=Indicator.MAJOR,
    cause=CauseCategory.THIRD_PARTY,
    started_at=datetime(2025, 12, 3, 20, 5, tzinfo=UTC),
    created_at=datetime(2025, 12, 3, 20, 10, tzinfo=UTC),
    updated_at=datetime(2025, 12, 3, 21, 0, tzinfo=UTC),
    restored_at=datetime(2025, 12, 3, 21, 0, tzinfo=UTC),
    resolved_at=datetime(2025, 12, 3, 21, 0, tzinfo=UTC),
    updates=(
        UpdateView(
            "u00000000000",
            IncidentState.RESOLVED,
            datetime(2025, 12, 3, 21, 0, tzinfo=UTC),
            datetime(2025, 12, 3, 21, 0, tzinfo=UTC),
            datetime(2025, 12, 3, 21, 0, tzinfo=UTC),
            only_russian("Все платежи зачислены."),
        ),
    ),
)

PROMISE = PromiseView(
    incident_id=INCIDENT.id,
    state=GraceState.ACTIVE,
    until=datetime(2026, 11, 25, 21, 0, tzinfo=UTC),
    segments=("prepaid", "postpaid", "pos_m2m"),
    covered=(PREPAID, POSTPAID, TERMINALS),
    not_covered=(
        words("Международный роуминг вне пакета", "套餐外国际漫游", "International roaming outside a package"),
    ),
    tail_days=3,
)

OUTAGE = PageView(
    operator=OPERATOR,
    revision=7,
    as_of=NOON,
    updated_at=UPDATES[0].at,
    components=COMPONENTS,
    groups=GROUPS,
    routes=ROUTES,
    incidents=(INCIDENT, PAST),
    promises=(PROMISE,),
)

CALM = replace(
    OUTAGE,
    incidents=(PAST,),
    promises=(),
    routes=tuple(replace(route, state=RouteState.UNKNOWN) for route in ROUTES),
    components=tuple(replace(one, state=ComponentState.OPERATIONAL) for one in COMPONENTS),
)

RESTORED = datetime(2026, 11, 22, 15, 40, tzinfo=UTC)

REPAIRED = replace(
    OUTAGE,
    as_of=RESTORED + timedelta(minutes=5),
    components=CALM.components,
    incidents=(
        replace(
            INCIDENT,
            state=IncidentState.RESTORED_CATCHING_UP,
            restored_at=RESTORED,
            next_update_at=None,
            updated_at=RESTORED,
        ),
        PAST,
    ),
)

TAIL = replace(
    CALM,
    as_of=RESTORED + timedelta(hours=5),
    incidents=(
        replace(
            INCIDENT,
            state=IncidentState.RESOLVED,
            restored_at=RESTORED,
            resolved_at=RESTORED + timedelta(hours=4),
            next_update_at=None,
            updated_at=RESTORED + timedelta(hours=4),
        ),
        PAST,
    ),
    promises=(replace(PROMISE, state=GraceState.TAIL),),
)
