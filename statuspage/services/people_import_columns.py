"""The columns of the subscriber file, and the names that Russian and Chinese systems give them."""

from __future__ import annotations

COLUMNS = (
    "account_id",
    "msisdn",
    "email",
    "iccid",
    "contact_msisdn",
    "language",
    "segment",
    "region",
    "time_zone",
    "balance",
    "currency",
    "paid_until",
    "consent_sms",
    "consent_email",
)

_OTHER_NAMES = {
    "account_id": "account|лицевой счет|номер лицевого счета|лс|номер договора|договор|账户|账号|账户号|客户编号",
    "msisdn": "phone|номер|телефон|номер телефона|абонентский номер|мобильный номер|手机号|手机号码|电话号码|用户号码",
    "email": "e mail|mail|почта|электронная почта|эл. почта|邮箱|电子邮箱|电子邮件|邮箱地址",
    "iccid": "sim|сим|sim карта|номер sim карты|номер сим карты|sim卡号|sim卡|卡号",
    "contact_msisdn": "contact phone|контактный номер|контактный телефон|телефон для связи|联系电话|联系手机",
    "language": "lang|язык|语言",
    "segment": "сегмент|тип абонента|категория|细分|客群|用户类型|客户类型",
    "region": "регион|область|филиал|地区|区域|省份",
    "time_zone": "timezone|часовой пояс|时区",
    "balance": "баланс|остаток|余额",
    "currency": "валюта|币种|货币",
    "paid_until": "оплачено до|оплачен до|оплачено по|付费至|已付至|有效期至",
    "consent_sms": "согласие на sms|согласие на смс|согласие sms|согласие смс|短信同意|同意短信|同意接收短信",
    "consent_email": "согласие на e mail|согласие на email|согласие на почту|согласие email|邮件同意|同意邮件",
}


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("ё", "е").replace("_", " ").replace("-", " ").split())


_BY_NAME = {_plain(own): own for own in COLUMNS} | {
    name: own for own, others in _OTHER_NAMES.items() for name in others.split("|")
}


def column(name: str) -> str | None:
    """Which column a header cell names; None when we do not know it."""
    return _BY_NAME.get(_plain(name))
