"""The columns of the subscriber file: what each holds, and the names that Russian and Chinese systems give it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Need(StrEnum):
    """Whether a file must have the column and a row its cell."""

    ALWAYS = "always"
    ONE_OF_TWO = "one of the two"
    WITH_BALANCE = "with a balance"
    NO = "no"


@dataclass(frozen=True)
class Column:
    """One column. `accepted` says in a phrase what a cell may hold; `other_names` are headers read as `name`."""

    name: str
    need: Need
    accepted: str
    other_names: tuple[str, ...]


YES = ("1", "yes", "true", "да", "是")
NO = ("0", "no", "false", "нет", "否")
"""What consents are written as, in any case."""

_NUMBER = "+79161234567; a number without a country is of DEFAULT_REGION"
_CONSENT = f"{' '.join(YES)} / {' '.join(NO)}, in any case; empty: a notice under the contract"

TABLE = tuple(
    Column(name, need, accepted, tuple(others.split("|")))
    for name, need, accepted, others in (
        (
            "account_id",
            Need.ALWAYS,
            "letters, digits and . / : # - _, at most 64",
            "account|лицевой счет|номер лицевого счета|лс|номер договора|договор|账户|账号|账户号|客户编号",
        ),
        (
            "msisdn",
            Need.ONE_OF_TWO,
            f"{_NUMBER}; or an iccid instead",
            "phone|номер|телефон|номер телефона|абонентский номер|мобильный номер|手机号|手机号码|电话号码|用户号码",
        ),
        (
            "email",
            Need.NO,
            "name@host",
            "e mail|mail|почта|электронная почта|эл. почта|邮箱|电子邮箱|电子邮件|邮箱地址",
        ),
        (
            "iccid",
            Need.ONE_OF_TWO,
            "19 or 20 digits that begin with 89 and end with their check digit; or an msisdn instead",
            "sim|сим|sim карта|номер sim карты|номер сим карты|sim卡号|sim卡|卡号",
        ),
        (
            "contact_msisdn",
            Need.NO,
            f"{_NUMBER}; who is told instead of the line, in particular instead of a machine",
            "contact phone|контактный номер|контактный телефон|телефон для связи|联系电话|联系手机",
        ),
        (
            "language",
            Need.NO,
            "ru, zh, en, also zh-CN; empty or another one: DEFAULT_LOCALE",
            "lang|язык|语言",
        ),
        (
            "segment",
            Need.ALWAYS,
            "key or name of a segment",
            "сегмент|тип абонента|категория|细分|客群|用户类型|客户类型",
        ),
        (
            "region",
            Need.ALWAYS,
            "key or name of a region",
            "регион|область|филиал|地区|区域|省份",
        ),
        (
            "time_zone",
            Need.NO,
            "an IANA zone such as Asia/Yekaterinburg; empty: the region's",
            "timezone|часовой пояс|时区",
        ),
        (
            "balance",
            Need.NO,
            "1234.50, 1 234,50 or -12.5",
            "баланс|остаток|余额",
        ),
        (
            "currency",
            Need.WITH_BALANCE,
            "three capital letters: RUB",
            "валюта|币种|货币",
        ),
        (
            "paid_until",
            Need.NO,
            "2026-12-01, 2026/12/01 or 01.12.2026",
            "оплачено до|оплачен до|оплачено по|付费至|已付至|有效期至",
        ),
        (
            "consent_sms",
            Need.NO,
            _CONSENT,
            "согласие на sms|согласие на смс|согласие sms|согласие смс|短信同意|同意短信|同意接收短信",
        ),
        (
            "consent_email",
            Need.NO,
            _CONSENT,
            "согласие на e mail|согласие на email|согласие на почту|согласие email|邮件同意|同意邮件",
        ),
    )
)
COLUMNS = tuple(one.name for one in TABLE)
ACCEPTED = {one.name: one.accepted for one in TABLE}


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("ё", "е").replace("_", " ").replace("-", " ").split())


_BY_NAME = {_plain(one.name): one.name for one in TABLE} | {name: one.name for one in TABLE for name in one.other_names}


def column(name: str) -> str | None:
    """Which column a header cell names; None when we do not know it."""
    return _BY_NAME.get(_plain(name))
