"""The words people send back, in the languages we write in."""

from __future__ import annotations

import unicodedata

from notifiers.base import Keyword

WORDS: dict[Keyword, frozenset[str]] = {
    Keyword.STOP: frozenset(
        {
            *("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "arret", "arrêt"),
            *("стоп", "отписка", "отписаться", "отмена", "отказ"),
            *("退订", "取消", "停止", "td"),
        }
    ),
    Keyword.START: frozenset(
        {"start", "unstop", "yes", "subscribe", "старт", "подписка", "подписаться", "订阅", "开始"}
    ),
    Keyword.HELP: frozenset({"help", "info", "помощь", "справка", "инфо", "帮助", "说明"}),
}
_MEANING = {word: keyword for keyword, words in WORDS.items() for word in words}
_EDGES = " \t\r\n.!?,;:\"'«»“”‘’()。！？，；：、"


def keyword(body: str) -> Keyword | None:
    """The meaning of a message whose whole text is one known word, any case, quotes and stops around it ignored.

    "stop please" means nothing here, as at the carriers: a person may want to stop something else.
    """
    if len(body) > 40:
        return None
    return _MEANING.get(unicodedata.normalize("NFKC", body).strip(_EDGES).casefold())
