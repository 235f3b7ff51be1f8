"""Telling a text's language, and telling that it cannot be told."""

# ruff: noqa: RUF001

import pytest

from agents.golden.languages import LANGUAGES, language_of

TEXTS = {
    "ar": "تم إلغاء طلبك وسيصلك المال خلال أسبوع.",
    "zh": "您的订单已取消，退款将在一周内到账。",
    "cs": "Vaše objednávka je zrušena a peníze jsou už na cestě, děkuji za trpělivost.",
    "da": "Din ordre er annulleret, og jeg har sendt dig pengene på dit kort.",
    "nl": "Ik heb uw bestelling geannuleerd en het geld is onderweg naar u.",
    "en": "I have cancelled your order, and the money is on its way to you.",
    "fr": "Votre commande est annulée et vous recevrez votre argent dans une semaine.",
    "de": "Ich habe Ihre Bestellung storniert, und das Geld ist auf dem Weg zu Ihnen.",
    "el": "Η παραγγελία σας ακυρώθηκε και τα χρήματα είναι καθ' οδόν.",
    "he": "ההזמנה שלך בוטלה והכסף בדרך אליך.",
    "hi": "आपका ऑर्डर रद्द कर दिया गया है।",
    "it": "Il suo ordine è stato annullato e il denaro è in arrivo con la posta.",
    "ja": "ご注文はキャンセルされました。返金は一週間以内に行われます。",
    "ko": "주문이 취소되었으며 환불은 일주일 이내에 처리됩니다.",
    "pl": "Zamówienie zostało anulowane i pieniądze są już w drodze do pana.",
    "pt": "O seu pedido foi cancelado e o dinheiro já está a caminho para você.",
    "ru": "Ваш заказ отменён, и деньги уже в пути.",
    "es": "Su pedido ha sido cancelado y el dinero ya está en camino para usted.",
    "sv": "Jag har avbokat din beställning och pengarna är på väg till dig.",
    "th": "คำสั่งซื้อของคุณถูกยกเลิกแล้ว",
    "tr": "Sizin sipariş iptal oldu ve para geri ödeme için çok yakın bir gün gelir.",
    "uk": "Ваше замовлення скасовано, і гроші вже в дорозі.",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_is_told(language: str) -> None:
    assert language_of(TEXTS[language]) == language


@pytest.mark.parametrize(
    "text", ["", "OK", "Order #W12 123", "Lorem ipsum dolor sit amet", "no no no"]
)
def test_language_of_too_little_is_not_guessed(text: str) -> None:
    assert language_of(text) == ""


def test_names_links_and_foreign_words_do_not_turn_a_language() -> None:
    text = (
        "Ich habe Ihre Order geprüft: https://shop.example/the/order/is/on/your/way und das ist OK."
    )
    assert language_of(text) == "de"


def test_a_long_text_is_told_in_no_time() -> None:
    assert language_of("the order is on its way " * 100_000) == "en"
