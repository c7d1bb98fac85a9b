"""What the campaign desk refuses, it refuses in the reader's language: the field once, the value, the remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from tests.web.site import MANY, Browser, Build, declare

pytestmark = pytest.mark.usefixtures("operator", "told_people")
LogIn = Callable[[str], Browser]
Fields = dict[str, object]
ALERT = re.compile(r'<div class="refusal" role="alert".*?</div>', re.DOTALL)
PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
TAGS = re.compile(r"<[^>]+>")
RAW = re.compile(r"\b[a-z]+_[a-z_]+\b|\b(campaign|message|audience|sms|mail)\.[a-z]+")
"""Keys of the program, such as cost_ceiling, sms.ru and campaign.nobody."""

ALLOWED = {"region", "segment", "component", "language", "pos_m2m", "far_east"}
"""What people type themselves, or may type, stands in a refusal as it is typed."""

EDITS: dict[str, tuple[Fields, dict[str, str]]] = {
    "an audience that breaks off": (
        {"audience": "segment = "},
        {
            "ru": "Получатели: На знаке 10 выражение обрывается. Дальше нужно: значение",
            "zh": "收件人: 在第10个字符处中断。此处需要：一个值",
            "en": "Audience: It breaks off at character 10. Needed here: a value",
        },
    ),
    "nothing": (
        {"audience": ""},
        {"ru": "Получатели: Ничего не написано.", "zh": "收件人: 尚未填写。", "en": "Audience: Nothing is written."},
    ),
    "a word out of place": (
        {"audience": "segment = prepaid region = moscow"},
        {
            "ru": "Знак 19: «region» здесь не на месте. Нужно: and, or или конец",
            "zh": "第19个字符：“region”不应出现在这里。此处需要：and、or 或结尾",
            "en": "Character 19: “region” is out of place. Needed here: and, or, or the end",
        },
    ),
    "a strange sign": (
        {"audience": "segment = 'prepaid'"},
        {"ru": "Знак 11: «'»", "zh": "第11个字符：“'”", "en": "Character 11: “'”"},
    ),
    "an unknown field": (
        {"audience": "segmant = prepaid"},
        {"ru": "поля «segmant» нет. Может быть, segment?", "zh": "是否指 segment？", "en": "Did you mean segment?"},
    ),
    "an unknown value": (
        {"audience": "region = mars"},
        {
            "ru": "у поля region нет значения «mars». Есть:",
            "zh": "region 没有值“mars”。现有：",
            "en": "region has no value “mars”. There are:",
        },
    ),
    "too deep": (
        {"audience": "not " * 30 + "all"},
        {"ru": "глубже 20 раз", "zh": "超过20层", "en": "more than 20 deep"},
    ),
    "no channel": (
        {"channels": []},
        {
            "ru": "Каналы: Отметьте хотя бы один канал.",
            "zh": "渠道: 请至少选择一个渠道。",
            "en": "Channels: Tick at least one channel.",
        },
    ),
    "an unknown placeholder": (
        {"sms.ru": "Сбой до {untill}"},
        {
            "ru": "SMS (Русский): Подставить вместо {untill} нечего: такого имени нет. Может быть, {until}?",
            "zh": "短信 (Русский): 没有名为 {untill} 的填入项。是否指 {until}？",
            "en": "SMS (Русский): There is nothing called {untill} to put in. Did you mean {until}?",
        },
    ),
    "a name that nobody knows": (
        {"mail.en": "{zzzz}"},
        {"ru": "Письмо (English): ", "zh": "邮件 (English): 没有名为 {zzzz} 的填入项。现有：", "en": "There are: {"},
    ),
    "a stray brace": (
        {"subject.zh": "故障 } 通知"},
        {"ru": "Тема письма (中文): Фигурная скобка на знаке 4", "zh": "第4个字符的花括号", "en": "The brace at"},
    ),
    "an invisible character": (
        {"sms.en": "Down\u202e now"},
        {
            "ru": "SMS (English): На знаке 5 – невидимый символ U+202E.",
            "zh": "第5个字符是不可见字符 U+202E。",
            "en": "At character 5 stands the invisible character U+202E.",
        },
    ),
    "too long": (
        {"sms.ru": "я" * 1000},
        {"ru": "Знаков: 1000, помещается 918.", "zh": "共1000个字符，最多918个。", "en": "It has 1000 characters"},
    ),
    "an emptied text": (
        {"sms.zh": "", "sms.ru": "Иначе."},
        {
            "ru": "SMS (中文): Текст пуст: читающие на этом языке не получили бы ничего",
            "zh": "短信 (中文): 内容为空。使用此语言的人将收不到任何消息",
            "en": "SMS (中文): It is empty. Whoever reads this language would get nothing",
        },
    ),
    "a ceiling below nothing": (
        {"cost_ceiling": "-5"},
        {"ru": "Предел стоимости: -5.00 – меньше", "zh": "费用上限: -5.00 小于0。", "en": "Cost ceiling: -5.00 is"},
    ),
    "no minute": (
        {"validity_minutes": "0"},
        {"ru": "0 не подходит: от 1 до 600 минут.", "zh": "须为1至600分钟", "en": "0 does not fit: 1 to 600 minutes."},
    ),
    "a control character in the name": (
        {"campaign_name": "a\x01b"},
        {"ru": "Название: Здесь есть невидимый", "zh": "名称: 含有不可见字符", "en": "Name: It holds an"},
    ),
    "a page of long ago": (
        {"version": "0"},
        {"ru": "рассылку изменил кто-то другой", "zh": "已有他人修改", "en": "Somebody else has changed it"},
    ),
}  # fmt: skip


def _speak(browser: Browser, locale: str) -> None:
    browser.get("/console/incidents")
    browser.post("/console/language", {"locale": locale})


def _draft(browser: Browser, incident: str, *channels: str) -> str:
    browser.get(f"/console/campaigns/new?incident={incident}")
    form = {**browser.filled("/console/campaigns/new"), "channels": list(channels or ("sms", "email"))}
    return browser.post("/console/campaigns/new", form).location


def _alert(page: str) -> str:
    found = ALERT.search(page)
    assert found is not None, page
    return " ".join(unescape(TAGS.sub(" ", found[0])).split())


def _check(said: str, expected: str) -> None:
    assert expected in said, said
    raw = {found[0] for found in RAW.finditer(PLACEHOLDER.sub("", said))} - ALLOWED
    assert "{link}" not in said
    assert not raw, said
    assert said.count(":") < 6
    before, _, after = said.partition(": ")
    assert not after.startswith(f"{before}:"), said


@pytest.mark.parametrize("locale", ["ru", "zh", "en"])
def test_a_refused_edit_reads_well(log_in: LogIn, locale: str) -> None:
    """Each mistake one can make in the form of a draft: no raw key, no second name of the field, and a way on."""
    engineer = log_in("engineer")
    address = _draft(engineer, declare(engineer))
    _speak(engineer, locale)
    for wrong, said in EDITS.values():
        engineer.get(address)
        answer = engineer.post(f"{address}/edit", {**engineer.filled(f"{address}/edit"), **wrong})
        assert answer.status_code in (409, 422)
        _check(_alert(answer.text), said[locale])


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("ru", ("Выберите её", "«черновик»", "не приостановлена", "не короче 10 знаков", "Вместе – 6", "уже прошло")),
        ("zh", ("请选择是哪一次", "“草稿”", "并未暂停", "至少10个字符", "共6条，超过上限4条", "已过")),
        ("en", ("Choose that", "“draft”", "It is not paused", "at least 10", "come to 6: more than", "has passed")),
    ],
)  # fmt: skip
def test_a_refused_act_reads_well(build: Build, person: Callable[..., str], locale: str, said: tuple[str, ...]) -> None:
    """The course of a campaign refuses in words too: an end to nobody, a start before approval, releasing too many."""
    engineer = Browser(build(approval_threshold=MANY - 1, break_glass_cap=MANY + 1).test_client())
    engineer.log_in(person("engineer"))
    incident = declare(engineer)
    address, again = _draft(engineer, incident, "sms"), _draft(engineer, incident, "sms")
    _speak(engineer, locale)
    engineer.get(f"/console/campaigns/new?incident={incident}")
    form = {**engineer.filled("/console/campaigns/new"), "template": "end"}
    refused = [engineer.post("/console/campaigns/new", form)]
    engineer.get(address)
    refused += [engineer.post(f"{address}/start"), engineer.post(f"{address}/resume")]
    engineer.get(f"{address}/preview")
    refused.append(engineer.post(f"{address}/break-glass", {"reason": "x"}))
    assert "<details open><summary>" in refused[-1].text
    assert ">\nx</textarea>" in refused[-1].text
    reason: Fields = {"reason": "Nobody else can be reached."}
    assert engineer.post(f"{address}/break-glass", reason).status_code == 303
    engineer.get(f"{again}/preview")
    refused.append(engineer.post(f"{again}/break-glass", reason))
    engineer.get(address)
    refused.append(engineer.post(f"{address}/schedule", {"at": "2020-01-01T00:00"}))
    for answer, expected in zip(refused, said, strict=True):
        assert answer.status_code in (403, 409, 422)
        assert expected in unescape(answer.text), " ".join(TAGS.sub(" ", answer.text).split())


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("ru", "уже разрешены 3 сообщения, вместе с этой рассылкой – 6, а одному можно не больше 5."),
        ("zh", "未经第二人放行的已有3条，加上本次共6条，而一人最多可放行5条。"),
        ("en", "the 3 messages released without one, for this incident or in the last 24 hours, it is 6, and one"),
    ],
)
def test_the_preview_says_why_a_small_one_needs_a_second_person(
    build: Build, person: Callable[..., str], locale: str, said: str
) -> None:
    """What went without one and this campaign make a sum; the button asks instead of releasing, and it waits."""
    engineer = Browser(build(approval_threshold=2 * MANY - 1).test_client())
    engineer.log_in(person("engineer"))
    incident = declare(engineer)
    first, second = _draft(engineer, incident, "sms"), _draft(engineer, incident, "sms")
    engineer.get(f"{first}/preview")
    assert engineer.post(f"{first}/request-approval").status_code == 303
    _speak(engineer, locale)
    shown = " ".join(unescape(engineer.get(f"{second}/preview").text).split())
    assert said in shown, shown
    engineer.post(f"{second}/request-approval")
    assert engineer.post(f"{second}/start").status_code in (409, 422)


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("ru", "{restored_at} – когда всё заработало. Сначала сообщите в инциденте, что снова работает. Тексты: SMS"),
        ("zh", "{restored_at} – 恢复时间。请先在故障中宣布恢复。所在文字：短信 (Русский)、短信 (English)。"),
        ("en", "{restored_at} – when it worked again. Say first in the incident that it works again. Texts: SMS"),
    ],
)
def test_the_preview_says_what_is_missing_and_where_it_comes_from(engineer: Browser, locale: str, said: str) -> None:
    """One line for each value that nobody has given, not one a language, and none in the program's own words."""
    address = _draft(engineer, declare(engineer), "sms")
    engineer.get(address)
    lacking = {"sms.ru": "Работает с {restored_at}.", "sms.en": "Works since {restored_at}."}
    form = {**engineer.filled(f"{address}/edit"), **lacking}
    assert engineer.post(f"{address}/edit", form).status_code == 303
    _speak(engineer, locale)
    shown = _alert(engineer.get(f"{address}/preview").text)
    assert said in shown, shown
    assert not RAW.search(PLACEHOLDER.sub("", shown)), shown


def test_all_that_is_wrong_is_said_at_once(engineer: Browser) -> None:
    """Who mends a draft at night mends it once: every field that a rule refuses is in one summary."""
    address = _draft(engineer, declare(engineer))
    engineer.get(address)
    wrong = {"audience": "segment = prepayd", "sms.ru": "{untill}", "subject.en": "a {", "cost_ceiling": "-5"}
    form = {**engineer.filled(f"{address}/edit"), **wrong, "channels": [], "validity_minutes": "0"}
    page = engineer.post(f"{address}/edit", form).text
    named = re.findall(r'<li><a href="#f-([^"]+)">', page)
    assert set(named) == {*wrong, "channels", "validity_minutes"}
    assert page.count('aria-invalid="true"') == len(named)


def test_legal_agrees_to_the_words_it_read(log_in: LogIn) -> None:
    """Words that the author changed while legal's page was open are not agreed to by its button, nor without one."""
    engineer, legal = log_in("engineer"), log_in("legal")
    incident = declare(engineer, "security_suspension")
    engineer.get(f"/console/campaigns/new?incident={incident}")
    made = engineer.post("/console/campaigns/new", engineer.filled("/console/campaigns/new"))
    campaign = made.headers["Location"]
    approval = f"{campaign}/words-approval"
    assert approval in legal.get(campaign).text
    read = legal.filled(approval)
    assert engineer.get(campaign).status_code == 200
    edited = {**engineer.filled(f"{campaign}/edit"), "sms.en": "Hackers stole everything."}
    assert engineer.post(f"{campaign}/edit", edited).status_code == 303
    assert legal.post(approval, read).status_code == 422
    assert legal.post(approval, {**read, "read": ""}).status_code == 422
    assert "Hackers stole everything." in legal.get(campaign).text
    assert legal.post(approval, legal.filled(approval)).status_code == 303
    assert approval not in legal.get(campaign).text
