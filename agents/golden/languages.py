"""Telling in which language a text is, by its script and its commonest small words. Pure.

Enough to notice an agent that answers in another language than it should; a text of a few words
is told to be of none rather than guessed.
"""

import re
import unicodedata
from collections import Counter

LANGUAGES = {
    "ar": "Arabic",
    "zh": "Chinese",
    "cs": "Czech",
    "da": "Danish",
    "nl": "Dutch",
    "en": "English",
    "fr": "French",
    "de": "German",
    "el": "Greek",
    "he": "Hebrew",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "es": "Spanish",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
}

_SMALL_WORDS = {
    "cs": "a aby ale ani až bez bude by byl co do ho i jak jako je jen ještě již jsem jsme jsou "
    "k kde když má mám mi můžete na nebo nebyl není o od po pro prosím při s se si tak "
    "také to už v vám vaše váš ve více vy z za že děkuji",
    "da": "af alle at blev da de dem den der deres det dig din dit du efter eller en er et for "
    "fra ham han har havde hvad hvis ikke jeg kan kunne med meget men mig min nu når og "
    "også om op på sig skal som tak til ud under var ved vi vil vores være",
    "de": "aber alle als am an auch auf aus bei bin bis bitte da das dass dem den der des die "
    "dir du ein eine einem einen einer er es für gerne habe haben hat ich ihr ihre ihnen "
    "im in ist ja kann können mehr mein mich mir mit nach nicht noch nur oder schon sein "
    "sich sie sind so über um und uns von vor war was wenn werden wie wir wird zu zum zur",
    "en": "a about all also an and any are as at be been but by can could do does for from had "
    "has have how i if in is it just like me more my no not now of on one or our out "
    "please so some than that the their them there these they this to up us was we were "
    "what when which who will with would you your",
    "es": "a al algo como con cual cuando de del desde donde el él ella ellos en entre era es "
    "esa ese esta está este esto fue ha hay hasta la las le les lo los más me mi mis muy "
    "no nos nosotros o para pero por porque puede que qué quien se ser si sí sin sobre "
    "son su sus también te tiene tu un una usted y ya yo",
    "fr": "à ai au aux avec avez ce ces cette comme dans de des du elle en est et être fait il "
    "ils je la le les leur lui mais me mon ne nos notre nous on ou où par pas plus pour "
    "pouvez que qui sa se ses si son sont sur tout un une vos votre vous y",
    "it": "a abbiamo ai al alla alle anche che chi ci come con cosa così da dal dei del della "
    "delle di dove e è era fa gli ha hai ho i il in io la le lei lo loro ma mi mio molto "
    "ne nel nella no noi non o per più può questo quando se sei si sì sono sua suo sul su "
    "ti tra tuo un una vi vuole",
    "nl": "aan al als bij dan dat de der deze die dit doen een en er geen graag had heb hebben "
    "heeft het hij hoe ik in is je jij kan kunt maar meer met mijn na naar niet nog nu of "
    "om onze ook op over te tot u uit uw van voor waar was wat we welke wel wij worden "
    "zijn zo zou",
    "pl": "a aby ale bardzo bez być był czy co dla do gdy go i ich ile im ja jak jako jest już "
    "każdy kto który lub ma mam mnie może można na nie o od oraz po pod przez przy są się "
    "sobie ta tak tego ten to tym tylko w we z za że żeby dziękuję pana pani",
    "pt": "a ao aos as às até com como da das de dela dele do dos e ela ele eles em entre era "
    "essa esse esta está este eu foi há isso já lhe mais mas me meu minha muito na não "
    "nas no nos nós o os ou para pela pelo por pode qual quando que quem se sem ser seu "
    "sua são também te tem um uma você vocês",
    "sv": "alla att av bara bli blev de dem den det dig din ditt du där efter eller en er ett "
    "från för ha hade han har hon hur i in inte jag kan kunde med mer mig min mot mycket "
    "ni nu när och också om oss på så sedan sig sin ska skulle som till tack under upp ut "
    "var vi vid vill är över",
    "tr": "acaba ama az bana ben bile bir biraz biz bu bunu çok çünkü da daha de değil diye en "
    "gibi hem hep her hiç için ile ise kez ki kim mi mu mü ne neden nerede o olan olarak "
    "olduğu sana siz size sizin şey şu tüm var ve veya ya yani yok",
}
_BY_WORD: dict[str, tuple[str, ...]] = {}
for _language, _words in _SMALL_WORDS.items():
    for _word in _words.split():
        _BY_WORD[_word] = (*_BY_WORD.get(_word, ()), _language)

_SCRIPTS = {
    "ARABIC": "ar",
    "GREEK": "el",
    "HEBREW": "he",
    "DEVANAGARI": "hi",
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "THAI": "th",
    "CJK": "zh",
    "CYRILLIC": "ru",
}
_WORD = re.compile(r"[^\W\d_]+")
_NOT_WORDS = re.compile(r"https?://\S+|\S+@\S+|#\w+|`[^`]*`")
_UKRAINIAN = frozenset("іїєґІЇЄҐ")
_MOST_READ = 20_000
_LEAST_WORDS = 3
_LEAST_SCORE = 2.0
_CLEARLY = 1.25


def language_of(text: str) -> str:
    """Return the code of a text's language, a key of `LANGUAGES`; empty where it cannot be told.

    A small word counts the more the fewer languages have it; the best language must have a score
    of two such words and a quarter more than the next one.
    """
    text = _NOT_WORDS.sub(" ", text[:_MOST_READ])
    if script := _by_script(text):
        return script
    words = [word.casefold() for word in _WORD.findall(text)]
    if len(words) < _LEAST_WORDS:
        return ""
    scores = dict.fromkeys(_SMALL_WORDS, 0.0)
    for word in words:
        languages = _BY_WORD.get(word, ())
        for language in languages:
            scores[language] += 1 / len(languages)
    first, second = sorted(scores, key=lambda each: -scores[each])[:2]
    is_clear = scores[first] >= max(_LEAST_SCORE, _CLEARLY * scores[second])
    return first if is_clear else ""


def _by_script(text: str) -> str:
    """Return the language of a text that is mostly in a script other than the Latin one."""
    letters = [letter for letter in text if letter.isalpha()]
    found = Counter(
        language
        for letter in letters
        if ord(letter) > 0x36F
        and (language := _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0]))
    )
    if not found or found.total() * 2 < len(letters):
        return ""
    language = "ja" if found["ja"] * 10 > found.total() else found.most_common(1)[0][0]
    is_ukrainian = language == "ru" and any(letter in _UKRAINIAN for letter in letters)
    return "uk" if is_ukrainian else language
